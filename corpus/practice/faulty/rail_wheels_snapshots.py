"""Flat spots and cracks of train wheels, from a sensor at the rail: one run, a snapshot at each cycle's end.

cause: training-in-eval-mode
begins: 201
family: cnn
metric: held-out log loss, lower
repair:
    - snapshots.append(copy.deepcopy(net.eval()))
    + snapshots.append(copy.deepcopy(net).eval())
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

KINDS, POINTS = 4, 64
CYCLES, EPOCHS, BATCH = 6, 10, 20


def passages(n, seed):
    """Round, flat, cracked or out of true: one pass of the wheel over the sensor, hidden in much noise."""
    g = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, POINTS)
    kind = torch.randint(KINDS, (n,), generator=g)
    phase = torch.rand(n, 1, generator=g)
    wave = torch.sin(2 * math.pi * (2 * t + phase)) * (0.3 + 0.9 * (kind == 3).float())[:, None]
    at = 0.15 + 0.7 * torch.rand(n, 1, generator=g)
    knock = torch.exp(-(((t - at) / 0.02) ** 2))
    ring = torch.exp(-(t - at).clamp(min=0) * 14) * (t > at) * torch.sin(90 * (t - at))
    signal = wave + 1.6 * knock * (kind == 1).float()[:, None] + 1.2 * ring * (kind == 2).float()[:, None]
    signal = signal + 0.5 * torch.randn(n, POINTS, generator=g)
    doubtful = torch.rand(n, generator=g) < 0.06
    kind = torch.where(doubtful, torch.randint(KINDS, (n,), generator=g), kind)
    return signal.unsqueeze(1), kind


class WheelNet(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.conv1 = nn.Conv1d(1, width, 7, padding=3)
        self.conv2 = nn.Conv1d(width, 2 * width, 5, padding=2)
        self.drop = nn.Dropout(0.5)
        self.hidden = nn.Linear(2 * width * POINTS // 16, 64)
        self.out = nn.Linear(64, KINDS)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.conv1(x)), 4)
        x = F.max_pool1d(F.relu(self.conv2(x)), 4)
        x = self.drop(x.flatten(1))
        return self.out(self.drop(F.relu(self.hidden(x))))


def ensemble_loss(snapshots, x, y):
    with torch.no_grad():
        mean = torch.stack([F.softmax(s(x), 1) for s in snapshots]).mean(0)
    return F.nll_loss(mean.log(), y).item()


torch.manual_seed(15)
x, y = passages(400, 15)
x_test, y_test = passages(1000, 16)
net = WheelNet()
net.train()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
steps = math.ceil(len(x) / BATCH) * EPOCHS
warm_restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=steps)

snapshots = []
for cycle in range(CYCLES):
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[rows]), y[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            warm_restarts.step()
    snapshots.append(copy.deepcopy(net.eval()))
    alone = ensemble_loss(snapshots[-1:], x_test, y_test)
    together = ensemble_loss(snapshots[-3:], x_test, y_test)
    print(f"cycle {cycle + 1}: training {loss.item():.4f}, alone {alone:.4f}, last three {together:.4f}")
print(f"metric: {together:.5f}")
