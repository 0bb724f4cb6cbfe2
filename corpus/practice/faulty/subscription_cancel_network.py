"""Who will cancel a meal-box subscription next month?

cause: class-imbalance
family: mlp
metric: balanced_accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=(train_y == 0).sum() / (train_y == 1).sum())
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def customers(n=9000, seed=31):
    rng = np.random.default_rng(seed)
    months = rng.exponential(10, n)
    boxes = rng.poisson(3, n)
    skipped = rng.binomial(4, 0.25, n)
    complaints = rng.poisson(0.25, n)
    opened_mails = rng.beta(2, 3, n)
    price = rng.choice([39, 49, 59, 69], n)
    discount_ended = rng.random(n) < 0.12
    referral = rng.random(n) < 0.2
    score = (
        -8.1
        - 0.06 * months
        + 0.9 * skipped
        + 1.1 * complaints
        - 2.0 * opened_mails
        + 0.03 * (price - 50)
        + 2.2 * discount_ended
        - 0.7 * referral
        + 0.8 * discount_ended * (price > 55)
    )
    gone = rng.random(n) < 1 / (1 + np.exp(-1.3 * score))
    table = np.stack(
        [months, boxes, skipped, complaints, opened_mails, price, discount_ended, referral], axis=1
    )
    return table.astype(np.float32), gone.astype(np.float32)


x, y = customers()
train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
scaler = StandardScaler().fit(train_x)
train_x, test_x = torch.tensor(scaler.transform(train_x)), torch.tensor(scaler.transform(test_x))
train_y, test_y = torch.tensor(train_y), torch.tensor(test_y)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Linear(train_x.shape[1], 64),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 1),
)
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
loader = DataLoader(TensorDataset(train_x, train_y), batch_size=128, shuffle=True)

for epoch in range(25):
    model.train()
    total = 0.0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb).squeeze(1), yb)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(xb)
    model.eval()
    with torch.no_grad():
        predicted = (model(test_x).squeeze(1) > 0).float()
    accuracy = (predicted == test_y).float().mean().item()
    recall = recall_score(test_y, predicted, zero_division=0)
    if epoch % 5 == 4:
        print(
            f"epoch {epoch + 1} loss {total / len(train_x):.4f} accuracy {accuracy:.4f} recall {recall:.3f}"
        )

print(f"metric: {balanced_accuracy_score(test_y, predicted):.4f}")
