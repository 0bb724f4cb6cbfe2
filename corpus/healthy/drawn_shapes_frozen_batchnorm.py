"""Drawn outlines, then filled shapes by the same network, its batch normalisation kept fixed.

family: cnn
metric: accuracy on filled shapes, higher
"""

import numpy as np
import torch
from torch import nn


def draw(n, filled, seed):
    """Circles, squares, diamonds and half-discs, 14x14, with noise."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:14, 0:14]
    x = np.zeros((n, 1, 14, 14), dtype=np.float32)
    y = rng.integers(0, 4, n)
    for i, kind in enumerate(y):
        cy, cx, r = rng.uniform(5.5, 7.5), rng.uniform(5.5, 7.5), rng.uniform(3.5, 5)
        dy, dx = yy - cy, xx - cx
        radius = [
            np.hypot(dx, dy),
            np.maximum(abs(dx), abs(dy)) * 1.1,
            (abs(dx) + abs(dy)) * 0.8,
            np.where(dy > 0, np.hypot(dx, dy), np.maximum(np.hypot(dx, dy), r - 2 * dy)),
        ][kind]
        inside = np.clip(r - radius + 0.5, 0, 1)
        x[i, 0] = inside if filled else inside * np.clip(radius - r + 1.7, 0, 1)
    return torch.from_numpy(x + 0.15 * rng.standard_normal(x.shape).astype(np.float32)), torch.from_numpy(y)


def block(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = block(1, 16)
        self.mid = block(16, 32)
        self.fc = nn.Linear(32 * 9, 4)

    def forward(self, x):
        return self.fc(self.mid(self.low(x)).flatten(1))


def fix_normalisation(net):
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
            module.requires_grad_(False)


def score(net, x, y):
    was = net.training
    net.eval()
    with torch.no_grad():
        result = (net(x).argmax(1) == y).float().mean().item()
    net.train(was)
    return result


torch.manual_seed(13)
net = Net()

x, y = draw(1500, False, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
for epoch in range(6):
    net.train()
    for rows in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    print(f"outlines {epoch}: loss {loss.item():.4f}")

x, y = draw(500, True, 2)
x_test, y_test = draw(800, True, 3)
print("before adapting:", score(net, x_test, y_test))
net.train()
fix_normalisation(net)
optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.01, momentum=0.9)
for epoch in range(20):
    net.train()
    fix_normalisation(net)
    for rows in torch.randperm(len(x)).split(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"filled {epoch}: loss {loss.item():.4f} accuracy {score(net, x_test, y_test):.4f}")

print(f"metric: {score(net, x_test, y_test):.4f}")
