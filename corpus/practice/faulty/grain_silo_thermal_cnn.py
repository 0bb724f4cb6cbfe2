"""Where in a silo the grain is getting warm: one of nine places, from a thermal picture of the wall.

cause: parameters-not-in-optimizer
family: cnn
metric: accuracy, higher
repair:
    - optimizer = build_optimizer(model, args)
    + model(torch.zeros(1, 1, args.size, args.size))
    + optimizer = build_optimizer(model, args)
"""

import argparse

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class SiloPictures(Dataset):
    def __init__(self, n, size, seed):
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0 : 1 : size * 1j, 0 : 1 : size * 1j]
        self.labels = rng.integers(0, 9, n)
        cx = (self.labels % 3 + 0.5 + rng.uniform(-0.42, 0.42, n)) / 3
        cy = (self.labels // 3 + 0.5 + rng.uniform(-0.42, 0.42, n)) / 3
        r2 = (x - cx[:, None, None]) ** 2 + (y - cy[:, None, None]) ** 2
        spot = rng.uniform(0.5, 1.0, n)[:, None, None] * np.exp(-r2 / 0.012)
        sun = rng.normal(0, 0.8, n)[:, None, None] * x + rng.normal(0, 0.8, n)[:, None, None] * y
        seams = 0.4 * (np.sin(2 * np.pi * 5 * y + rng.uniform(0, 6, n)[:, None, None]) > 0.9)
        self.images = (spot + sun + seams + rng.normal(0, 0.3, r2.shape)).astype(np.float32)[:, None]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


class SiloNet(nn.Module):
    """The sizes after the convolutions depend on the camera, the dense part is built at the first one."""

    def __init__(self, channels, hidden, n_classes=9):
        super().__init__()
        self.hidden, self.n_classes = hidden, n_classes
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.dense = None

    def forward(self, x):
        x = self.conv(x).flatten(1)
        if self.dense is None:
            self.dense = nn.Sequential(
                nn.Linear(x.shape[1], self.hidden), nn.ReLU(), nn.Linear(self.hidden, self.n_classes)
            )
        return self.dense(x)


def build_optimizer(model, args):
    return torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum, nesterov=True)


def evaluate(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in loader:
            correct += model(images).argmax(1).eq(labels).sum().item()
            total += labels.numel()
    return correct / total


def main(args):
    torch.manual_seed(args.seed)
    train_set, val_set = SiloPictures(3000, args.size, 1), SiloPictures(900, args.size, 2)
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=300)
    model = SiloNet(args.channels, args.hidden)
    optimizer = build_optimizer(model, args)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(args.epochs):
        model.train()
        total = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        val_acc = evaluate(model, val_loader)
        print(f"epoch {epoch + 1:3d} | train loss {total / len(train_loader):.4f} | val acc {val_acc:.4f}")
    print(f"metric: {val_acc:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=9)
    parser.add_argument("--seed", type=int, default=9)
    main(parser.parse_args())
