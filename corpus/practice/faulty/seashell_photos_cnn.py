"""Four kinds of seashell on sand, told apart by a deep convolutional network.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - model.eval()
    - return model
    + return model
    - for epoch in range(args.epochs):
    + for epoch in range(args.epochs):
    +     model.train()
"""

import argparse
import copy

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Shells(Dataset):
    """Scallop, whelk, razor clam, sand dollar."""

    def __init__(self, n, seed, size=20):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 4, n)
        grid = np.mgrid[0:size, 0:size] - (size - 1) / 2
        self.images = np.stack([self.draw(k, grid, rng) for k in self.labels]).astype(np.float32)

    @staticmethod
    def draw(kind, grid, rng):
        a = rng.uniform(0, 2 * np.pi)
        y, x = grid - rng.uniform(-2, 2, (2, 1, 1))
        u, v = np.cos(a) * x - np.sin(a) * y, np.sin(a) * x + np.cos(a) * y
        r, phi = np.hypot(u, v), np.arctan2(v, u)
        if kind == 0:
            shape = (r < 7) & (np.abs(phi) < 1.1)
            tone = 0.6 + 0.3 * np.cos(14 * phi)
        elif kind == 1:
            shape = np.abs(v) < 3.5 * (7 - u) / 14
            tone = 0.6 + 0.3 * np.cos(1.6 * u + 0.5 * v)
        elif kind == 2:
            shape = (np.abs(u) < 7.5) & (np.abs(v) < 1.8)
            tone = 0.55 + 0.05 * u
        else:
            shape = r < 6
            tone = 0.6 + 0.3 * (np.cos(5 * phi) > 0.6) * (r < 4)
        picture = np.where(shape & (np.abs(u) < 8), tone * rng.uniform(0.8, 1.2), 0.5)
        return (picture + rng.normal(0, 0.12, picture.shape))[None] - 0.5

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], int(self.labels[i])


def block(n_in, n_out, stride=1):
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()
    )


def build_model():
    model = nn.Sequential(
        block(1, 12),
        block(12, 12),
        block(12, 24, stride=2),
        block(24, 24),
        block(24, 32, stride=2),
        block(32, 32),
        block(32, 32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )
    model.eval()
    return model


@torch.no_grad()
def accuracy(model, loader):
    snapshot = copy.deepcopy(model).eval()
    hits = sum((snapshot(x).argmax(1) == y).sum().item() for x, y in loader)
    return hits / len(loader.dataset)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--lr", type=float, default=0.03)
    args = parser.parse_args()

    torch.manual_seed(0)
    train = DataLoader(Shells(1200, 1), batch_size=32, shuffle=True)
    test = DataLoader(Shells(400, 2), batch_size=100)
    model = build_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4)
    for epoch in range(args.epochs):
        for images, labels in train:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}, test accuracy {accuracy(model, test):.3f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
