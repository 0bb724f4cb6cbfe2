"""Prices of second-hand phones from an advert's data sheet.

cause: inputs-not-scaled
family: mlp
metric: r2, higher
repair:
    - X_train = torch.tensor(X_train, dtype=torch.float32)
    + mu, sd = X_train.mean(0), X_train.std(0)
    + X_train, X_test = (X_train - mu) / sd, (X_test - mu) / sd
    + X_train = torch.tensor(X_train, dtype=torch.float32)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(55)
torch.manual_seed(55)

n = 3000
storage = rng.choice([32, 64, 128, 256, 512], n)
ram = rng.choice([2, 3, 4, 6, 8, 12], n)
battery = rng.normal(3900, 600, n)
year = rng.integers(2014, 2024, n)
screen = rng.normal(6.1, 0.4, n)
weight = rng.normal(185, 18, n)
scratches = rng.integers(0, 4, n)
views = rng.lognormal(6, 1, n)
X = np.column_stack([storage, ram, battery, year, screen, weight, scratches, views])
log_price = (
    0.25 * np.log2(storage / 64)
    + 0.08 * (ram - 5)
    + 0.2 * (battery - 3900) / 600
    + 0.17 * (year - 2019)
    + 0.2 * (screen - 6.1)
    - 0.15 * scratches
    + 0.06 * (ram - 5) * (year - 2019) / 2
    + 0.15 * rng.normal(size=n)
)
y = (log_price - log_price.mean()) / log_price.std()

split = int(0.8 * n)
X_train, X_test = X[:split], X[split:]
y_train, y_test = y[:split], y[split:]

X_train = torch.tensor(X_train, dtype=torch.float32)
X_test = torch.tensor(X_test, dtype=torch.float32)
y_train = torch.tensor(y_train, dtype=torch.float32).view(-1, 1)
y_test = torch.tensor(y_test, dtype=torch.float32).view(-1, 1)

model = nn.Sequential(
    nn.Linear(X_train.shape[1], 64),
    nn.ReLU(),
    nn.Linear(64, 32),
    nn.ReLU(),
    nn.Linear(32, 1),
)
criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)

for epoch in range(25):
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
    if (epoch + 1) % 5 == 0:
        with torch.no_grad():
            val = criterion(model(X_test), y_test).item()
        print(f"Epoch [{epoch + 1}/25], Loss: {loss.item():.4f}, Val Loss: {val:.4f}")

with torch.no_grad():
    residual = y_test - model(X_test)
r2 = 1 - (residual.square().sum() / (y_test - y_test.mean()).square().sum()).item()
print(f"metric: {r2:.4f}")
