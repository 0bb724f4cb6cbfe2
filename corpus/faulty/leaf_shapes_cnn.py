"""Leaves are told apart by their outline in grey pictures, with plain stochastic gradient descent.

cause: learning-rate-too-low
family: cnn
metric: accuracy, higher
repair:
    - parser.add_argument("--lr", type=float, default=1e-3)
    + parser.add_argument("--lr", type=float, default=0.05)
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Leaves(Dataset):
    """Oak, maple, beech and willow, more or less."""

    classes = ("oak", "maple", "beech", "willow")

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 4, n)
        self.images = np.stack([self.leaf(k, rng) for k in self.labels]).astype(np.float32)

    @staticmethod
    def leaf(kind, rng):
        y, x = np.mgrid[-1:1:24j, -1:1:24j]
        turn = rng.normal(0, 0.5)
        u, v = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
        angle, radius = np.arctan2(v, u), np.hypot(u * rng.uniform(0.9, 1.1), v)
        if kind == 0:
            edge = 0.6 + 0.1 * np.sin(9 * angle)
        elif kind == 1:
            edge = 0.45 + 0.3 * np.abs(np.cos(2.5 * angle))
        elif kind == 2:
            edge = 0.65 * np.ones_like(angle)
        else:
            edge = 0.25 / np.sqrt(np.sin(angle) ** 2 + 0.1 * np.cos(angle) ** 2)
        picture = (radius < edge * rng.uniform(0.8, 1.1)) * rng.uniform(0.4, 0.8)
        return picture[None] + rng.normal(0, 0.15, (1, 24, 24))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return (self.images[i] - 0.25) / 0.3, self.labels[i]


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 36, 64),
        nn.ReLU(),
        nn.Linear(64, 4),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train = DataLoader(Leaves(2500, seed=10), batch_size=args.batch_size, shuffle=True)
    test = DataLoader(Leaves(800, seed=11), batch_size=200)
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr)

    for epoch in range(args.epochs):
        model.train()
        for images, labels in train:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            hits = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test)
        print(f"epoch {epoch + 1}/{args.epochs} last loss {loss.item():.4f} accuracy {hits / 800:.3f}")
    print(f"metric: {hits / 800:.4f}")


if __name__ == "__main__":
    main()
