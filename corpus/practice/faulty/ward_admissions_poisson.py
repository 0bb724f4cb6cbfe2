"""Admissions to a hospital ward per day, by a network with a Poisson likelihood.

cause: not-finite
family: mlp
metric: deviance, lower
repair:
    - return torch.relu(self.rate(h)).squeeze(1)
    + return nn.functional.softplus(self.rate(h)).squeeze(1) + 1e-6
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def ward_days(n=3000, seed=23):
    rng = np.random.default_rng(seed)
    day = np.arange(n)
    temperature = 10 + 9 * np.sin(2 * np.pi * (day - 110) / 365) + rng.normal(0, 3, n)
    flu = np.exp(-((((day + 30) % 365) - 60) ** 2) / 900) * rng.uniform(0.5, 1.5, n)
    weekend = (day % 7 >= 5).astype(float)
    beds = rng.integers(0, 20, n).astype(float)
    holiday = (rng.random(n) < 0.03).astype(float)
    log_rate = 0.2 + 1.3 * flu - 0.7 * weekend - 0.8 * holiday + 0.025 * np.maximum(0, 5 - temperature)
    log_rate -= 5.0 * (beds < 4) * (1 - 0.3 * flu)
    x = np.stack([temperature, flu, weekend, beds, holiday], axis=1)
    return x, rng.poisson(np.exp(log_rate))


class AdmissionNet(nn.Module):
    def __init__(self, n_inputs, start):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.rate = nn.Linear(64, 1)
        # begin at the average number of admissions
        nn.init.constant_(self.rate.bias, start)

    def forward(self, x):
        h = self.body(x)
        return torch.relu(self.rate(h)).squeeze(1)


def poisson_loss(rate, count):
    return (rate - count * torch.log(rate)).mean()


def deviance(rate, count):
    ratio = torch.where(count > 0, count * torch.log(count.clamp(min=1) / rate), torch.zeros_like(count))
    return 2 * (ratio - (count - rate)).mean().item()


torch.manual_seed(23)
x, count = ward_days()
order = np.random.default_rng(0).permutation(len(x))
train, test = order[:2400], order[2400:]
x = (x - x[train].mean(0)) / x[train].std(0)
x, count = torch.tensor(x, dtype=torch.float32), torch.tensor(count, dtype=torch.float32)

model = AdmissionNet(x.shape[1], start=count[train].mean().item())
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(TensorDataset(x[train], count[train]), batch_size=48, shuffle=True)
for epoch in range(25):
    losses = []
    for xb, cb in loader:
        loss = poisson_loss(model(xb), cb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        test_deviance = deviance(model(x[test]), count[test])
    print(f"epoch {epoch + 1:2d}  loss {np.mean(losses):8.4f}  test deviance {test_deviance:.4f}")
print(f"metric: {test_deviance:.4f}")
