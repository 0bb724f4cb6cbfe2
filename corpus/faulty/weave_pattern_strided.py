"""A strided convolutional classifier of weave patterns in cloth, at any brightness and sign.

cause: missing-activation
family: cnn
metric: accuracy, higher
repair:
    - x = self.conv1(x)
    - x = self.conv2(x)
    - x = self.conv3(x)
    + x = F.leaky_relu(self.conv1(x))
    + x = F.leaky_relu(self.conv2(x))
    + x = F.leaky_relu(self.conv3(x))
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class WeaveNet(nn.Module):
    def __init__(self, classes=4):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv2d(20, 32, kernel_size=3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        x = self.conv1(x)
        x = self.conv2(x)
        x = self.conv3(x)
        x = self.pool(x).flatten(1)
        return self.head(x)


def cloth(kind, rng, size=20):
    yy, xx = np.mgrid[:size, :size] + rng.integers(0, 12, (2, 1, 1))
    waves = [
        np.sin(2 * np.pi * xx / 4),
        np.sin(2 * np.pi * yy / 4),
        np.sin(2 * np.pi * (xx + yy) / 6),
        np.sin(2 * np.pi * xx / 6) * np.sin(2 * np.pi * yy / 6) * 1.4,
    ]
    return rng.choice([-1, 1]) * rng.uniform(0.5, 1) * waves[kind] + rng.normal(0, 0.5, (size, size))


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


torch.manual_seed(71)
rng = np.random.default_rng(71)
kinds = rng.integers(0, 4, 1500)
images = torch.tensor(np.stack([cloth(k, rng) for k in kinds])[:, None], dtype=torch.float32)
kinds = torch.tensor(kinds)
x, y, x_test, y_test = images[:1200], kinds[:1200], images[1200:], kinds[1200:]

net = WeaveNet()
opt = torch.optim.Adamax(net.parameters(), lr=5e-3)
for epoch in range(10):
    for xb, yb in batches(x, y, 30):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
    print(f"epoch {epoch}  loss {loss.item():.4f}")
with torch.no_grad():
    print(f"metric: {net(x_test).argmax(1).eq(y_test).float().mean().item():.4f}")
