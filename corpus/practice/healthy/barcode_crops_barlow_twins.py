"""Two crops of a striped strip are made to agree by the loss of Barlow Twins; nearest neighbours then vote.

family: siamese
metric: accuracy of the nearest neighbours, higher
"""

import argparse

import numpy as np
import torch
import torch.nn as nn
from sklearn.neighbors import KNeighborsClassifier

LENGTH, CROP, CLASSES = 96, 64, 8


def strips(n, rng):
    """Each class has its own period and ratio of dark to light; phase, contrast and dirt differ."""
    y = rng.integers(0, CLASSES, n)
    period = 6 + 2.2 * (y % 4)
    duty = np.where(y < 4, 0.3, 0.6)
    pos = np.arange(LENGTH)[None] + rng.uniform(0, 30, (n, 1))
    bars = ((pos / period[:, None]) % 1 < duty[:, None]).astype(np.float32)
    bars = bars * rng.uniform(0.5, 1.5, (n, 1)) + rng.normal(0, 0.35, (n, LENGTH))
    return torch.tensor(bars, dtype=torch.float32), y


def view(x):
    start = torch.randint(0, LENGTH - CROP + 1, (len(x), 1))
    x = x.gather(1, start + torch.arange(CROP))
    flip = torch.rand(len(x), 1) < 0.5
    x = torch.where(flip, x.flip(1), x)
    x = x * (0.6 + 0.8 * torch.rand(len(x), 1)) + 0.3 * torch.randn(len(x), 1)
    return (x + 0.2 * torch.randn_like(x)).unsqueeze(1)


class BarlowTwins(nn.Module):
    def __init__(self, dim=64, lambd=0.01):
        super().__init__()
        self.lambd = lambd
        self.backbone = nn.Sequential(
            nn.Conv1d(1, 24, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(24),
            nn.ReLU(inplace=True),
            nn.Conv1d(24, 48, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm1d(48),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool1d(1),
            nn.Flatten(),
        )
        self.projector = nn.Sequential(
            nn.Linear(48, 96, bias=False),
            nn.BatchNorm1d(96),
            nn.ReLU(inplace=True),
            nn.Linear(96, dim, bias=False),
        )
        self.bn = nn.BatchNorm1d(dim, affine=False)

    def forward(self, y1, y2):
        z1, z2 = self.projector(self.backbone(y1)), self.projector(self.backbone(y2))
        c = self.bn(z1).T @ self.bn(z2) / len(z1)
        on_diag = torch.diagonal(c).add(-1).pow(2).sum()
        off_diag = c.flatten()[:-1].view(len(c) - 1, len(c) + 1)[:, 1:].pow(2).sum()
        return on_diag + self.lambd * off_diag


def knn(model, train, train_y, test, test_y):
    model.eval()
    middle = slice((LENGTH - CROP) // 2, (LENGTH + CROP) // 2)
    with torch.no_grad():
        a, b = (model.backbone(x[:, None, middle]).numpy() for x in (train, test))
    model.train()
    return KNeighborsClassifier(5).fit(a, train_y).score(b, test_y)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=128)
    args = parser.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    (train, train_y), (test, test_y) = strips(2500, rng), strips(600, rng)
    model = BarlowTwins()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    print(f"untrained: {knn(model, train, train_y, test, test_y):.3f}")
    for step in range(args.steps):
        x = train[torch.randint(len(train), (args.batch,))]
        loss = model(view(x), view(x))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            print(
                f"{step + 1:4d} loss {loss.item():7.3f}  knn {knn(model, train, train_y, test, test_y):.3f}"
            )
    print(f"metric: {knn(model, train, train_y, test, test_y):.4f}")
