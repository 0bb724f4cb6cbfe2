"""Harvest of prawn ponds from water samples; the spreadsheet comes sorted by farm and harvest.

cause: data-not-shuffled
family: mlp
metric: test R2, higher
repair:
    - for i in range(0, len(x), batch_size):
    - xb, yb = x[i : i + batch_size], y[i : i + batch_size]
    + for pick in torch.randperm(len(x)).split(batch_size):
    +     xb, yb = x[pick], y[pick]
"""

import numpy as np
import torch
from torch import nn


def spreadsheet(n=2400):
    rng = np.random.default_rng(50)
    farm = rng.integers(0, 12, n)
    salinity = rng.normal(20, 5, n) + farm * 0.3
    oxygen = rng.normal(6, 1.2, n)
    ph = rng.normal(7.8, 0.4, n)
    density = rng.uniform(10, 60, n)
    temperature = rng.normal(28, 2, n) - 0.1 * farm
    days = rng.uniform(70, 130, n)
    harvest = 2 + 0.03 * (days - 100) - 0.01 * (salinity - 18) ** 2 + 0.35 * np.tanh(oxygen - 5)
    harvest += 0.025 * density - 0.0004 * density**2 * (oxygen < 6) - 0.4 * np.abs(ph - 7.8)
    harvest += 0.06 * (temperature - 28) + rng.normal(0, 0.18, n)
    table = np.c_[salinity, oxygen, ph, density, temperature, days, harvest]
    return table[np.argsort(harvest)]


class HarvestNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(6, 64)
        self.l2 = nn.Linear(64, 64)
        self.l3 = nn.Linear(64, 1)

    def forward(self, x):
        x = torch.relu(self.l1(x))
        x = torch.relu(self.l2(x))
        return self.l3(x).squeeze(1)


def r2(pred, y):
    return (1 - ((pred - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()).item()


torch.manual_seed(50)
table = spreadsheet()
table = (table - table.mean(0)) / table.std(0)
is_train = np.arange(len(table)) % 5 != 0
rows = table[is_train]
x = torch.tensor(rows[:, :6], dtype=torch.float32)
y = torch.tensor(rows[:, 6], dtype=torch.float32)
x_test = torch.tensor(table[~is_train][:, :6], dtype=torch.float32)
y_test = torch.tensor(table[~is_train][:, 6], dtype=torch.float32)

model = HarvestNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
loss_fn = nn.MSELoss()
batch_size = 48
for epoch in range(1, 31):
    for i in range(0, len(x), batch_size):
        xb, yb = x[i : i + batch_size], y[i : i + batch_size]
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 0:
        with torch.no_grad():
            print(f"epoch {epoch}: train R2 {r2(model(x), y):.3f}, test R2 {r2(model(x_test), y_test):.3f}")
with torch.no_grad():
    print(f"metric: {r2(model(x_test), y_test):.4f}")
