"""Elliptical, spiral or edge-on: shapes of galaxies on survey stamps.

cause: label-noise
family: cnn
metric: accuracy, higher
repair:
    - labels=catalogue["pipeline_class"][train],
    + labels=catalogue["expert_class"][train],
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 24


def stamp(kind, rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2 + rng.normal(0, 0.5, (2, 1, 1))
    angle = rng.uniform(0, np.pi)
    u, v = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    scale = rng.uniform(2.5, 4.0)
    if kind == 0:
        r = np.hypot(u, v / rng.uniform(0.6, 1.0))
        light = np.exp(-1.7 * (r / scale) ** 0.6) * 3
    elif kind == 1:
        r, phi = np.hypot(u, v / rng.uniform(0.65, 1.0)), np.arctan2(v, u)
        sign = rng.choice([-1, 1])
        arms = 1 + 0.9 * np.cos(2 * phi + sign * 0.9 * r)
        light = np.exp(-r / scale) * arms + 0.8 * np.exp(-((r / 1.2) ** 2))
    else:
        light = np.exp(-np.abs(u) / scale) * np.exp(-np.abs(v) / 0.9) * 1.6
    picture = light * rng.uniform(0.7, 1.3) + rng.normal(0, 0.13, light.shape)
    return np.arcsinh(3 * picture)


def make_catalogue(n, seed):
    rng = np.random.default_rng(seed)
    expert = rng.integers(0, 3, n)
    stamps = np.stack([stamp(kind, rng) for kind in expert]).astype(np.float32)[:, None]
    # what the automatic pipeline wrote for the same stamps
    pipeline = np.where(rng.random(n) < 0.42, rng.integers(0, 3, n), expert)
    pipeline[(expert == 1) & (rng.random(n) < 0.25)] = 0
    return {"stamps": stamps, "expert_class": expert, "pipeline_class": pipeline}


class GalaxyNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers, n_in = [], 1
        for n_out in (16, 32, 48):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.LeakyReLU(0.1), nn.MaxPool2d(2)]
            n_in = n_out
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.classify = nn.Sequential(nn.Linear(48 * 9, 96), nn.LeakyReLU(0.1), nn.Linear(96, 3))

    def forward(self, x):
        return self.classify(self.trunk(x))


def loader_of(stamps, labels, shuffle=False):
    dataset = TensorDataset(torch.tensor(stamps), torch.tensor(labels))
    return DataLoader(dataset, batch_size=64, shuffle=shuffle)


@torch.inference_mode()
def score(net, loader):
    net.eval()
    return np.mean([(net(x).argmax(1) == y).float().mean().item() for x, y in loader])


if __name__ == "__main__":
    torch.manual_seed(6)
    catalogue = make_catalogue(2100, 6)
    train, test = slice(0, 1500), slice(1500, 2100)
    train_loader = loader_of(
        stamps=catalogue["stamps"][train],
        labels=catalogue["pipeline_class"][train],
        shuffle=True,
    )
    test_loader = loader_of(stamps=catalogue["stamps"][test], labels=catalogue["expert_class"][test])
    net = GalaxyNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    for epoch in range(14):
        net.train()
        for x, y in train_loader:
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch:2d} loss {loss.item():.3f} test accuracy {score(net, test_loader):.3f}")
    print(f"metric: {score(net, test_loader):.4f}")
