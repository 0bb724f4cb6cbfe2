"""Friedman's regression function with a hand-written penalty on the weights.

cause: decay-too-strong
family: mlp
metric: r2, higher
repair:
    - PENALTY = 0.02
    + PENALTY = 1e-5
"""

import torch
from sklearn.datasets import make_friedman1
from torch import nn
from torch.nn.functional import mse_loss

import descend

PENALTY = 0.02


def penalised(model, x, y):
    size = sum(weight.square().sum() for name, weight in model.named_parameters() if "weight" in name)
    return mse_loss(model(x).squeeze(-1), y) + PENALTY * size


torch.manual_seed(15)
x, y = make_friedman1(n_samples=1400, n_features=8, noise=0.5, random_state=15)
x = torch.tensor(x, dtype=torch.float32) * 2 - 1
y = torch.tensor(y, dtype=torch.float32)
y = (y - y.mean()) / y.std()
x_train, y_train, x_test, y_test = x[:1000], y[:1000], x[1000:], y[1000:]

model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = descend.Adam(model.parameters(), lr=3e-3)
for epoch in range(30):
    for rows in torch.randperm(1000).split(50):
        optimizer.zero_grad()
        objective = penalised(model, x_train[rows], y_train[rows])
        objective.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: objective {objective.item():.4f}")

with torch.no_grad():
    residual = mse_loss(model(x_test).squeeze(-1), y_test) / y_test.var()
print(f"metric: {1 - residual.item():.4f}")
