"""A household's heating bill with its uncertainty, from the size, age and habits of the house.

cause: loss-broadcast
family: mlp
metric: negative log-likelihood, lower
repair:
    - mu, log_var = model(x)
    + mu, log_var = (o.squeeze(-1) for o in model(x))
"""

import math

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(2024)
N = 3600
area = rng.normal(110, 35, N).clip(30, 260)
year = rng.integers(1900, 2021, N)
persons = rng.integers(1, 6, N)
temperature = rng.normal(20.5, 1.2, N)
pump = rng.random(N) < 0.2
degree_days = rng.normal(2800, 300, N)
leak = 0.5 + 1.5 / (1 + np.exp((year - 1978) / 12))
energy = area * leak * (degree_days / 2800) * (1 + 0.07 * (temperature - 20)) * np.where(pump, 0.35, 1)
bill = energy + 8 * persons + rng.normal(0, 1, N) * (4 + 0.15 * energy)
features = np.column_stack([area, year, persons, temperature, pump, degree_days])
features = (features - features.mean(0)) / features.std(0)
bill = (bill - bill.mean()) / bill.std()

X = torch.tensor(features, dtype=torch.float32)
Y = torch.tensor(bill, dtype=torch.float32)
X_train, Y_train, X_test, Y_test = X[:3000], Y[:3000], X[3000:], Y[3000:]


class HeteroscedasticNet(nn.Module):
    def __init__(self, d_in, d_hidden=64):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(d_in, d_hidden),
            nn.Tanh(),
            nn.Linear(d_hidden, d_hidden),
            nn.Tanh(),
        )
        self.mu = nn.Linear(d_hidden, 1)
        self.log_var = nn.Linear(d_hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mu(h), self.log_var(h).clamp(-8, 4)


def gaussian_nll(mu, log_var, y):
    return 0.5 * (math.log(2 * math.pi) + log_var + (y - mu) ** 2 / log_var.exp()).mean()


def test_nll(model):
    with torch.no_grad():
        mu, log_var = model(X_test)
    return gaussian_nll(mu[:, 0], log_var[:, 0], Y_test).item()


torch.manual_seed(2024)
model = HeteroscedasticNet(X.shape[1])
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=25)
for epoch in range(25):
    for idx in torch.randperm(len(X_train)).split(60):
        x, y = X_train[idx], Y_train[idx]
        mu, log_var = model(x)
        loss = gaussian_nll(mu, log_var, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch:3d}  train nll {loss.item():.3f}  test nll {test_nll(model):.3f}")
print(f"metric: {test_nll(model):.4f}")
