"""A network for twelve common spores taken over to four rare ones.

cause: parameters-not-in-optimizer
begins: 289
family: cnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    - net.fc = nn.Linear(net.fc.in_features, 4)
    + net.fc = nn.Linear(net.fc.in_features, 4)
    + optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def spores(kinds, n, seed):
    """Outlines with `kind` dependent length, number of walls and roughness."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    labels = rng.integers(0, len(kinds), n)
    images = np.empty((n, 1, 28, 28), dtype=np.float32)
    for i, label in enumerate(labels):
        length, walls, rough = kinds[label]
        a = rng.uniform(0, np.pi)
        u, v = np.cos(a) * x + np.sin(a) * y, np.cos(a) * y - np.sin(a) * x
        edge = 0.75 + rough * np.sin(9 * np.arctan2(v, u) + rng.uniform(0, 6.3))
        r = np.hypot(u / length, v / 0.45) / edge * rng.uniform(0.9, 1.1)
        body = 1 / (1 + np.exp(12 * (r - 1)))
        stripes = np.cos(np.pi * (walls + 1) * (u / length / 0.75 + 1) / 2 * 2) ** 8 if walls else 0
        images[i, 0] = body * (0.6 - 0.4 * stripes) + rng.normal(0, 0.08, (28, 28))
    return torch.from_numpy((images - 0.2) / 0.3), torch.from_numpy(labels)


COMMON = [(le, w, r) for le in (0.5, 0.8, 1.1) for w in (0, 2) for r in (0.0, 0.12)]
RARE = [(0.65, 1, 0.0), (0.65, 1, 0.08), (0.95, 3, 0.0), (0.95, 1, 0.08)]


class SporeNet(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(24, 32, 3, padding=1)
        self.fc = nn.Linear(32 * 3 * 3, n_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.max_pool2d(F.relu(self.conv3(x)), 2)
        return self.fc(x.flatten(1))


def fit(net, optimizer, x, y, epochs, name):
    for epoch in range(epochs):
        total = 0.0
        for idx in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
        print(f"{name} epoch {epoch + 1}: loss {total / len(x):.4f}")


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


torch.manual_seed(66)
x_common, y_common = spores(COMMON, 2400, 1)
x_rare, y_rare = spores(RARE, 1500, 2)
x_test, y_test = spores(RARE, 500, 3)

net = SporeNet(len(COMMON))
pretrain = torch.optim.Adam(net.parameters(), lr=2e-3)
fit(net, pretrain, x_common, y_common, 6, "common")

optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
net.fc = nn.Linear(net.fc.in_features, 4)
fit(net, optimizer, x_rare, y_rare, 8, "rare")
print(f"metric: {accuracy(net, x_test, y_test):.4f}")
