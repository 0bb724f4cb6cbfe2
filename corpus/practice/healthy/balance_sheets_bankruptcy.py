"""Companies that go bankrupt within two years, two in a hundred, from heavy-tailed balance sheet ratios.

family: mlp
metric: average precision, higher
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import QuantileTransformer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 2008
np.random.seed(SEED)
torch.manual_seed(SEED)


def make_companies(n=16000):
    health = np.random.randn(n)
    ratios = []
    for _ in range(18):
        link = np.random.choice([0, 0.5, 0.9])
        z = link * health + np.sqrt(1 - link**2) * np.random.standard_t(3, n)
        ratios.append(np.sinh(z) * 10 ** np.random.uniform(-2, 4))
    X = np.stack(ratios, 1)
    debt = np.random.randn(n)
    X = np.column_stack([X, np.exp(debt), np.random.lognormal(10, 2, n)])
    logit = -6.6 - 1.9 * health + 1.2 * debt + 0.8 * (health < -1) * debt
    y = (np.random.rand(n) < 1 / (1 + np.exp(-logit))).astype(np.float32)
    return X, y


X, y = make_companies()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(
    X_train, y_train, test_size=0.2, stratify=y_train, random_state=1
)
qt = QuantileTransformer(n_quantiles=500, output_distribution="normal", random_state=0).fit(X_train)
X_train, X_val, X_test = (
    torch.tensor(qt.transform(part), dtype=torch.float32).clamp(-4, 4) for part in (X_train, X_val, X_test)
)
y_train_t = torch.tensor(y_train)
print(f"{len(y_train)} companies to learn from, {int(y_train.sum())} bankrupt")

model = nn.Sequential(
    nn.Linear(20, 64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(32, 1),
)
pos_weight = torch.tensor((1 - y_train).sum() / y_train.sum())
criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
train_loader = DataLoader(TensorDataset(X_train, y_train_t), batch_size=128, shuffle=True)


def score(X, y):
    model.eval()
    with torch.no_grad():
        out = model(X).squeeze(1).numpy()
    return average_precision_score(y, out), roc_auc_score(y, out)


best, best_state = -1.0, None
for epoch in range(12):
    model.train()
    losses = []
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    ap, auc = score(X_val, y_val)
    print(f"epoch {epoch:2d} loss {np.mean(losses):.4f} val AP {ap:.4f} val AUC {auc:.4f}")
    if ap > best:
        best, best_state = ap, {k: v.clone() for k, v in model.state_dict().items()}

model.load_state_dict(best_state)
ap, auc = score(X_test, y_test)
print(f"test AUC {auc:.4f}")
print(f"metric: {ap:.4f}")
