"""Ground vibration of quarry blasts: the 50th, 90th and 97.5th percentile for the permit.

family: mlp
metric: pinball loss on held-out blasts relative to constant quantiles, lower
"""

import math

import torch
from torch import nn

torch.manual_seed(31)
QUANTILES = torch.tensor([0.5, 0.9, 0.975])


def blasts(n):
    charge = torch.exp(torch.randn(n) * 0.6 + 4.0)  # kg
    distance = torch.exp(torch.randn(n) * 0.5 + 5.8)  # m
    delay = torch.randint(17, 68, (n,)).float()  # ms
    holes = torch.randint(4, 40, (n,)).float()
    rock = torch.randint(0, 3, (n,))
    scaled = distance / charge.sqrt()
    site = torch.tensor([0.0, 0.25, -0.3])[rock]
    log_ppv = math.log(900) - 1.5 * scaled.log() + site + 0.15 * torch.sin(delay / 8)
    student = torch.distributions.StudentT(4.0).sample((n,))
    log_ppv = log_ppv + (0.25 + 0.15 * (rock == 2)) * student
    features = torch.stack([charge.log(), distance.log(), delay / 40, holes.log()], 1)
    features = torch.cat([features, nn.functional.one_hot(rock, 3).float()], 1)
    return features, log_ppv


def pinball(pred, y):
    e = y[:, None] - pred
    return torch.maximum(QUANTILES * e, (QUANTILES - 1) * e).mean()


class QuantileNet(nn.Module):
    """The upper quantiles are the median plus positive steps, so they cannot cross."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 3))

    def forward(self, x):
        out = self.net(x)
        steps = nn.functional.softplus(out[:, 1:])
        return torch.cat([out[:, :1], out[:, :1] + steps.cumsum(1)], 1)


x, y = blasts(9000)
mean, std = x[:7000].mean(0), x[:7000].std(0)
x = (x - mean) / std
train_x, train_y, test_x, test_y = x[:7000], y[:7000], x[7000:], y[7000:]
model = QuantileNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=15 * 110)

for epoch in range(15):
    running = 0.0
    for idx in torch.randperm(7000).split(64):
        optimizer.zero_grad()
        loss = pinball(model(train_x[idx]), train_y[idx])
        loss.backward()
        optimizer.step()
        scheduler.step()
        running += loss.item() / 110
    with torch.no_grad():
        pred = model(test_x)
        below = (test_y[:, None] < pred).float().mean(0)
    print(f"{epoch:2d} train {running:.4f} test {pinball(pred, test_y):.4f} coverage {below.tolist()}")

constant = torch.quantile(train_y, QUANTILES).expand(len(test_y), 3)
print(f"metric: {(pinball(pred, test_y) / pinball(constant, test_y)).item():.4f}")
