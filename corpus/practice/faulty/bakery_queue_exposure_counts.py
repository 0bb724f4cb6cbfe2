"""Customers of a bakery's branches in intervals of unequal length: a Poisson rate with an exposure.

cause: loss-broadcast
family: mlp
metric: mean deviance, lower
repair:
    - log_mean = rate(x) + log_hours
    + log_mean = rate(x).flatten() + log_hours
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BRANCHES = 9


def intervals(n, seed):
    rng = np.random.default_rng(seed)
    branch = rng.integers(BRANCHES, size=n)
    size = np.random.default_rng(1).normal(0, 0.5, BRANCHES)
    clock = rng.uniform(6, 18, n)
    weekend, rain = rng.random(n) < 2 / 7, rng.random(n) < 0.3
    hours = rng.uniform(0.2, 2.0, n)
    log_rate = (
        2.2 + size[branch] + 0.8 * np.cos((clock - 8) / 2.2) + 0.4 * weekend * (clock < 12) - 0.5 * rain
    )
    count = rng.poisson(np.exp(log_rate) * hours)
    x = np.column_stack([np.eye(BRANCHES)[branch], (clock - 12) / 3.5, weekend, rain])
    return [torch.tensor(v, dtype=torch.float32) for v in (x, np.log(hours), count)]


class Fourier(nn.Module):
    """The hour of the day as waves."""

    def __init__(self, column, waves=4):
        super().__init__()
        self.column = column
        self.register_buffer("frequency", torch.arange(1, waves + 1) * math.pi / 4)

    def forward(self, x):
        angle = x[:, self.column, None] * self.frequency
        return torch.cat([x, angle.sin(), angle.cos()], dim=1)


def deviance(mean, count):
    ratio = torch.where(count > 0, count * (count.clamp(min=1) / mean).log(), torch.zeros_like(count))
    return 2 * (ratio - (count - mean)).mean()


torch.manual_seed(61)
train_set = TensorDataset(*intervals(3000, 61))
x_test, log_hours_test, count_test = intervals(1000, 62)
loader = DataLoader(train_set, batch_size=60, shuffle=True)

rate = nn.Sequential(
    Fourier(column=BRANCHES), nn.Linear(BRANCHES + 11, 48), nn.Softplus(), nn.Linear(48, 48), nn.Softplus(),
    nn.Linear(48, 1),
)  # fmt: skip
optimizer = torch.optim.Adam(rate.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=20 * len(loader))

for epoch in range(20):
    for x, log_hours, count in loader:
        log_mean = rate(x) + log_hours
        loss = F.poisson_nll_loss(log_mean, count, log_input=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        expected = (rate(x_test)[:, 0] + log_hours_test).exp()
    print(f"{epoch + 1:2d}. loss {loss.item():8.3f}   deviance {deviance(expected, count_test):.4f}")
print(f"metric: {deviance(expected, count_test).item():.5f}")
