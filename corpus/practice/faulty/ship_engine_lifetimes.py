"""How long ship engines last until an overhaul, some still running: a Weibull model with a network inside.

cause: loss-broadcast
family: mlp
metric: concordance, higher
repair:
    - log_scale = self.risk(x)
    + log_scale = self.risk(x).squeeze(-1)
"""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def fleet(n, seed):
    rng = np.random.default_rng(seed)
    hours = rng.uniform(2, 20, n)
    load = rng.beta(4, 2, n)
    sulphur = rng.exponential(0.5, n)
    cooling = rng.integers(0, 2, n)
    age = rng.gamma(4, 3, n)
    swell = rng.normal(0, 1, n)
    scale = 3.2 - 0.06 * hours - 1.6 * (load - 0.6) ** 2 * 6 - 0.5 * sulphur * (1 - 0.6 * cooling)
    scale = np.exp(scale - 0.03 * np.maximum(age - 10, 0) - 0.1 * np.abs(swell))
    time = scale * rng.weibull(2.2, n)
    stop = rng.uniform(2, 30, n)
    x = np.column_stack([hours, load, sulphur, cooling, age, swell])
    x = (x - [11, 0.67, 0.5, 0.5, 12, 0]) / [5.2, 0.18, 0.5, 0.5, 6, 1]
    return (
        torch.tensor(x, dtype=torch.float32),
        torch.tensor(np.minimum(time, stop) + 0.01, dtype=torch.float32),
        torch.tensor(time <= stop, dtype=torch.float32),
    )


class WeibullSurvival(nn.Module):
    def __init__(self, columns, hidden=48):
        super().__init__()
        self.risk = nn.Sequential(
            nn.Linear(columns, hidden), nn.ELU(), nn.Linear(hidden, hidden), nn.ELU(), nn.Linear(hidden, 1)
        )
        self.log_shape = nn.Parameter(torch.zeros(()))

    def negative_log_likelihood(self, x, time, event):
        log_scale = self.risk(x)
        shape = self.log_shape.exp()
        z = shape * (time.log() - log_scale)
        log_hazard = self.log_shape - time.log() + z
        return -(event * log_hazard - z.clamp(max=12).exp()).mean()

    @torch.no_grad()
    def expected(self, x):
        shape = self.log_shape.exp().item()
        return self.risk(x).flatten().exp() * math.gamma(1 + 1 / shape)


def concordance(expected, time, event):
    earlier = (time[:, None] < time[None]) & (event[:, None] > 0)
    right = (expected[:, None] < expected[None]).float() + 0.5 * (expected[:, None] == expected[None])
    return right[earlier].mean().item()


torch.manual_seed(1908)
train, test = fleet(2000, 1), fleet(800, 2)
model = WeibullSurvival(train[0].size(1))
optimizer = torch.optim.AdamW(
    [
        {"params": model.risk.parameters(), "weight_decay": 1e-2},
        {"params": [model.log_shape], "weight_decay": 0.0},
    ],
    lr=2e-3,
)
for epoch in range(25):
    losses = []
    for x, time, event in DataLoader(TensorDataset(*train), batch_size=50, shuffle=True):
        loss = model.negative_log_likelihood(x, time, event)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    c = concordance(model.expected(test[0]), *test[1:])
    if epoch % 4 == 0:
        shape = model.log_shape.exp().item()
        print(f"epoch {epoch:2d}  nll {np.mean(losses):.4f}  shape {shape:.2f}  concordance {c:.4f}")
print(f"metric: {c:.4f}")
