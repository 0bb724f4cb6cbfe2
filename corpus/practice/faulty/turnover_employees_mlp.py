"""Which employees leave within the year, from a table of the personnel department.

cause: class-imbalance
family: mlp
metric: balanced_accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=(ytr == 0).sum() / (ytr == 1).sum())
"""

import numpy as np
import torch
from sklearn.compose import ColumnTransformer
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

SEED = 1
rng = np.random.default_rng(SEED)
torch.manual_seed(SEED)

n = 5000
age = rng.normal(40, 10, n).clip(18, 65)
salary = rng.lognormal(10.6, 0.35, n)
years = rng.exponential(6, n).clip(0, 40)
overtime = rng.poisson(3, n)
satisfaction = rng.integers(1, 6, n)
department = rng.integers(0, 5, n)
risk = (
    -4.9
    - 0.05 * (age - 40)
    - 1.5 * (np.log(salary) - 10.6)
    - 0.12 * (years - 6)
    + 0.22 * (overtime - 3)
    - 0.55 * (satisfaction - 3)
    + np.array([0.6, -0.4, 0.0, 0.3, -0.5])[department]
)
left = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(np.float32)
table = np.column_stack([age, salary, years, overtime, satisfaction, department])

Xtr, Xte, ytr, yte = train_test_split(table, left, test_size=0.3, stratify=left, random_state=SEED)
prep = ColumnTransformer(
    [("num", StandardScaler(), [0, 1, 2, 3, 4]), ("cat", OneHotEncoder(), [5])], sparse_threshold=0
)
Xtr = torch.tensor(prep.fit_transform(Xtr), dtype=torch.float32)
Xte = torch.tensor(prep.transform(Xte), dtype=torch.float32)
ytr = torch.tensor(ytr)

model = nn.Sequential(
    nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1)
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(15):
    model.train()
    perm = torch.randperm(len(Xtr))
    epoch_loss, hits = 0.0, 0
    for i in range(0, len(perm), 64):
        b = perm[i : i + 64]
        logit = model(Xtr[b]).squeeze(-1)
        loss = criterion(logit, ytr[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(b)
        hits += ((logit > 0) == ytr[b].bool()).sum().item()
    print(f"epoch {epoch + 1}/15 - loss: {epoch_loss / len(Xtr):.4f} - accuracy: {hits / len(Xtr):.4f}")

model.eval()
with torch.no_grad():
    predicted = (torch.sigmoid(model(Xte)).squeeze(-1) > 0.5).numpy()
print(confusion_matrix(yte, predicted))
print(f"metric: {balanced_accuracy_score(yte, predicted):.4f}")
