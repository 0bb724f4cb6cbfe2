"""A network looks for fraud among card payments.

cause: class-imbalance
family: mlp
metric: balanced_accuracy, higher
repair:
    - criterion = nn.BCEWithLogitsLoss()
    + criterion = nn.BCEWithLogitsLoss(pos_weight=(1 - y_train).sum() / y_train.sum())
"""

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def payments(n=8000, share=0.03, seed=0):
    rng = np.random.default_rng(seed)
    fraud = rng.random(n) < share
    hour = np.where(fraud, rng.normal(2, 5, n), rng.normal(14, 5, n)) % 24
    amount = np.where(fraud, rng.lognormal(4.4, 1.0, n), rng.lognormal(3.4, 1.0, n))
    distance = np.where(fraud, rng.gamma(2.0, 60, n), rng.gamma(1.0, 40, n))
    tries = 1 + rng.poisson(np.where(fraud, 0.7, 0.2))
    new_device = rng.random(n) < np.where(fraud, 0.5, 0.15)
    columns = [np.sin(hour / 24 * 2 * np.pi), np.cos(hour / 24 * 2 * np.pi)]
    columns += [np.log(amount), np.log1p(distance), tries, new_device]
    return np.stack(columns, 1).astype(np.float32), fraud.astype(np.float32)


class Detector(nn.Module):
    def __init__(self, n_in):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(n_in),
            nn.Linear(n_in, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )

    def forward(self, x):
        return self.layers(x)[:, 0]


torch.manual_seed(0)
x, y = payments()
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
x_train, x_test, y_train = torch.from_numpy(x_train), torch.from_numpy(x_test), torch.from_numpy(y_train)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=128, shuffle=True)
model = Detector(x.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
criterion = nn.BCEWithLogitsLoss()

for epoch in range(12):
    model.train()
    loss_sum = hits = 0.0
    for xb, yb in loader:
        out = model(xb)
        loss = criterion(out, yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(xb)
        hits += ((out > 0) == yb.bool()).sum().item()
    print(f"epoch {epoch + 1}: loss {loss_sum / len(x_train):.4f} accuracy {hits / len(x_train):.4f}")

model.eval()
with torch.no_grad():
    flagged = (model(x_test) > 0).numpy()
print(f"metric: {balanced_accuracy_score(y_test.astype(bool), flagged):.4f}")
