"""Flower scans sorted by a network pretrained on garden symbols and given a new last layer.

cause: parameters-not-in-optimizer
begins: 241
family: cnn
metric: accuracy, higher
repair:
    - model.fc = nn.Linear(model.fc.in_features, len(SPECIES))
    + model.fc = nn.Linear(model.fc.in_features, len(SPECIES))
    + optimizer = optim.SGD(model.fc.parameters(), lr=args.lr, momentum=0.9)
"""

import argparse

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

SPECIES = ["anemone", "cosmos", "daisy", "dahlia", "poppy"]
PETALS = [6, 8, 13, 21, 4]
grid = np.linspace(-1, 1, 24)
X, Y = np.meshgrid(grid, grid)


def symbol(kind, rng):
    """Source pictures: stripes, rings, checks, crosses, dots... of ten kinds."""
    t = rng.uniform(0, np.pi)
    u, v = X * np.cos(t) + Y * np.sin(t), Y * np.cos(t) - X * np.sin(t)
    f = 3 + 2 * (kind % 5)
    r, a = np.hypot(u, v), np.arctan2(v, u)
    z = np.sin(f * u) if kind < 5 else np.cos((kind - 2) * a) * (r < 0.9)
    return z * rng.uniform(0.6, 1.2) + rng.normal(0, 0.3, X.shape)


def flower(kind, rng):
    cx, cy = rng.normal(0, 0.08, 2)
    r, a = np.hypot(X - cx, Y - cy), np.arctan2(Y - cy, X - cx)
    n = PETALS[kind]
    edge = rng.uniform(0.7, 0.85) * (0.75 + 0.25 * np.cos(n * a + rng.uniform(0, 6)))
    z = 1 / (1 + np.exp((r - edge) * 25))
    z -= (r < 0.12 + 0.05 * (kind % 3)) * 0.8
    return z * rng.uniform(0.7, 1.2) + rng.normal(0, 0.15, X.shape)


def make(draw, n, kinds, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, kinds, n)
    x = np.stack([draw(k, rng) for k in y]).astype("float32")
    return TensorDataset(torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y))


class SmallNet(nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc = nn.Linear(64 * 9, n_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.max_pool2d(F.relu(self.conv3(x)), 2)
        return self.fc(x.flatten(1))


def pretrained():
    net = SmallNet()
    opt = optim.Adam(net.parameters(), lr=1e-3)
    loader = DataLoader(make(symbol, 2560, 10, 0), batch_size=64, shuffle=True)
    for _ in range(6):
        for x, y in loader:
            opt.zero_grad()
            F.cross_entropy(net(x), y).backward()
            opt.step()
    return net


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return np.mean([(model(x).argmax(1) == y).float().mean().item() for x, y in loader])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=0.01)
    args = parser.parse_args()
    torch.manual_seed(7)

    train_loader = DataLoader(make(flower, 1200, 5, 1), batch_size=32, shuffle=True)
    test_loader = DataLoader(make(flower, 500, 5, 2), batch_size=100)

    # model and optimizer
    model = pretrained()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.9)

    # keep the features, train a new classifier
    for p in model.parameters():
        p.requires_grad = False
    model.fc = nn.Linear(model.fc.in_features, len(SPECIES))

    for epoch in range(args.epochs):
        model.train()
        running = 0.0
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(labels)
        print(f"[{epoch + 1}/{args.epochs}] loss {running / 1200:.4f} acc {accuracy(model, test_loader):.4f}")
    print(f"metric: {accuracy(model, test_loader):.4f}")
