"""Steering angles of a small race car, from the distances that a lidar measures.

cause: vanishing-gradients
family: mlp
metric: R2, higher
repair:
    - self.act = nn.Sigmoid()
    + self.act = nn.ReLU()
"""

import math
from itertools import pairwise

import torch
import torch.nn as nn

torch.manual_seed(21)

BEAMS = 36


def simulate(n):
    """Poses on a track of a given width and curvature, the beams there and the expert's angle."""
    width = torch.rand(n, 1) * 1.5 + 1.5
    offset = (torch.rand(n, 1) - 0.5) * width * 0.7
    heading = torch.randn(n, 1) * 0.25
    curvature = torch.randn(n, 1) * 0.12
    angles = torch.linspace(-math.pi / 2, math.pi / 2, BEAMS)
    reach = torch.linspace(0.1, 10, 100)
    bearing = angles[None] + heading
    x = reach * torch.cos(bearing)[..., None]
    y = offset[..., None] + reach * torch.sin(bearing)[..., None] - curvature[..., None] * x**2 / 2
    hit = y.abs() > width[..., None] / 2
    index = torch.where(hit.any(-1), hit.float().argmax(-1), torch.tensor(99))
    scans = reach[index] + 0.05 * torch.randn(n, BEAMS)
    steer = -0.6 * torch.tanh(1.5 * offset / width) - 0.8 * heading + 2.5 * curvature
    return scans, steer.clamp(-0.8, 0.8) + 0.02 * torch.randn(n, 1)


class Driver(nn.Module):
    def __init__(self, n_in=BEAMS, hidden=64, depth=7):
        super().__init__()
        sizes = [n_in] + [hidden] * depth
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.out = nn.Linear(hidden, 1)
        self.act = nn.Sigmoid()

    def forward(self, x):
        for layer in self.layers:
            x = self.act(layer(x))
        return self.out(x)


scans, steer = simulate(6000)
mean, std = scans[:5000].mean(0), scans[:5000].std(0)
scans = (scans - mean) / std
x_train, y_train = scans[:5000], steer[:5000] / 0.3
x_val, y_val = scans[5000:], steer[5000:] / 0.3

model = Driver()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
loss_fn = nn.MSELoss()

for epoch in range(20):
    order = torch.randperm(len(x_train))
    running = 0.0
    for i in range(0, len(order), 64):
        batch = order[i : i + 64]
        optimizer.zero_grad()
        loss = loss_fn(model(x_train[batch]), y_train[batch])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(batch)
    with torch.no_grad():
        val_loss = loss_fn(model(x_val), y_val).item()
    print(f"epoch {epoch:02d} train {running / len(x_train):.4f} val {val_loss:.4f}")

print(f"metric: {1 - val_loss / y_val.var().item():.4f}")
