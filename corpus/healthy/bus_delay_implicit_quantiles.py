"""How late the bus will be, as a whole distribution: a net that is told which quantile to name.

family: mlp
metric: pinball loss relative to that of the true quantiles, lower
"""

import math

import torch
import torch.nn as nn

torch.manual_seed(3)


def journeys(n):
    """Hour, rain, stops so far; the scale and shift of the delay, which is a shifted exponential."""
    hour, rain, stops = 5 + 18 * torch.rand(n), torch.rand(n) ** 3, torch.randint(1, 30, (n,)).float()
    rush = torch.exp(-((hour - 8) ** 2) / 3) + 0.8 * torch.exp(-((hour - 17.5) ** 2) / 4)
    scale = 0.5 + (0.5 + 2 * rush + 2 * rain) * stops / 15
    shift = -1 + 0.05 * stops
    x = torch.stack([(hour - 14) / 5, rain * 2 - 0.5, (stops - 15) / 8], 1)
    return x, scale, shift, shift - scale * torch.log(torch.rand(n))


class QuantileNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.level = nn.Linear(8, hidden)
        self.head = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.register_buffer("waves", math.pi * torch.arange(1, 9))

    def forward(self, x, level):
        angles = torch.cos(level[:, None] * self.waves)
        return self.head(self.body(x) * (1 + self.level(angles))).squeeze(-1)


def pinball(late, quantile, level):
    gap = late - quantile
    return torch.maximum(level * gap, (level - 1) * gap).mean()


net = QuantileNet()
x, _, _, late = journeys(12000)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=12, power=1.0)
for epoch in range(12):
    for rows in torch.randperm(len(x)).split(128):
        level = torch.rand(len(rows))
        loss = pinball(late[rows], net(x[rows], level), level)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()
    print(f"epoch {epoch:2d}  pinball {loss.item():.4f}")

with torch.no_grad():
    x, scale, shift, late = journeys(50000)
    level = torch.rand(len(x))
    ideal = pinball(late, shift - scale * torch.log1p(-level), level)
    print("metric:", (pinball(late, net(x, level), level) / ideal).item())
