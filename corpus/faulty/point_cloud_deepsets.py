"""A permutation-invariant network that names the shape a point cloud was sampled from.

cause: saturated-units
family: set network
metric: accuracy, higher
repair:
    - pooled = self.phi(points).sum(dim=1)
    + pooled = self.phi(points).mean(dim=1)
"""

import math

import numpy as np
import torch
from torch import nn


def cloud(kind, n, rng):
    u, v = rng.random(n), rng.random(n)
    if kind == 0:  # sphere
        phi, z = 2 * math.pi * u, 2 * v - 1
        r = np.sqrt(1 - z**2)
        p = np.stack([r * np.cos(phi), r * np.sin(phi), z], 1)
    elif kind == 1:  # cylinder
        p = np.stack([np.cos(2 * math.pi * u), np.sin(2 * math.pi * u), 2 * v - 1], 1)
    elif kind == 2:  # cone
        r = np.sqrt(v)
        p = np.stack([r * np.cos(2 * math.pi * u), r * np.sin(2 * math.pi * u), 1 - 2 * r], 1)
    else:  # torus
        a, b = 2 * math.pi * u, 2 * math.pi * v
        p = np.stack(
            [(1 + 0.4 * np.cos(b)) * np.cos(a), (1 + 0.4 * np.cos(b)) * np.sin(a), 0.4 * np.sin(b)], 1
        )
    q, _ = np.linalg.qr(np.eye(3) + 0.15 * rng.normal(size=(3, 3)))
    p = (p + rng.normal(0, 0.05, p.shape)) @ (q * np.sign(np.diag(q)))
    return (p - p.mean(0)) / p.std()


def clouds(n, points, rng):
    kinds = rng.integers(0, 4, n)
    data = np.stack([cloud(k, points, rng) for k in kinds]).astype(np.float32)
    return torch.from_numpy(data), torch.from_numpy(kinds)


class DeepSets(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.phi = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, width))
        self.rho = nn.Sequential(nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 4))

    def forward(self, points):
        pooled = self.phi(points).sum(dim=1)
        return self.rho(pooled)


if __name__ == "__main__":
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    train_x, train_y = clouds(600, 150, rng)
    test_x, test_y = clouds(300, 150, rng)
    model = DeepSets()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(20):
        model.train()
        for rows in torch.randperm(len(train_x)).split(30):
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(train_x[rows]), train_y[rows])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            score = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch:2d} loss {loss.item():.3f} score {score:.3f}")
    print(f"metric: {score:.4f}")
