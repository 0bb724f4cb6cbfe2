"""A convolutional network tells the suit of a playing card from a small photo of its corner.

family: cnn
metric: accuracy, higher
"""

import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SUITS = ["hearts", "spades", "diamonds", "clubs"]


def corner(suit, rng, size=20):
    """One suit sign: turned a little, moved, on paper that is lit from somewhere."""
    v, u = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    turn = rng.uniform(-0.4, 0.4)
    scale = rng.uniform(0.45, 0.65)
    cx, cy = rng.uniform(-0.25, 0.25, 2)
    x = ((u - cx) * math.cos(turn) + (v - cy) * math.sin(turn)) / scale
    y = (-(u - cx) * math.sin(turn) + (v - cy) * math.cos(turn)) / scale

    def disc(a, b, r):
        return (x - a) ** 2 + (y - b) ** 2 < r * r

    stem = (np.abs(x) < 0.12) & (y > 0.2) & (y < 1)
    if suit == 0:
        sign = (
            disc(-0.45, -0.35, 0.5)
            | disc(0.45, -0.35, 0.5)
            | ((np.abs(x) < 0.85 * (1 - y)) & (y > -0.3) & (y < 1))
        )
    elif suit == 1:
        sign = (
            disc(-0.45, 0.3, 0.5)
            | disc(0.45, 0.3, 0.5)
            | ((np.abs(x) < 0.85 * (1 + y)) & (y < 0.25) & (y > -1))
        )
        sign |= stem
    elif suit == 2:
        sign = np.abs(x) * 1.3 + np.abs(y) < 1
    else:
        sign = disc(-0.5, 0.15, 0.42) | disc(0.5, 0.15, 0.42) | disc(0, -0.5, 0.42) | stem
    light = 0.7 + 0.2 * (u * rng.uniform(-1, 1) + v * rng.uniform(-1, 1))
    return np.where(sign, 0.25, light) + rng.normal(0, 0.1, (size, size))


def photos(n, seed):
    rng = np.random.default_rng(seed)
    suits = rng.integers(0, 4, n)
    pictures = np.stack([corner(s, rng) for s in suits])[:, None]
    return torch.tensor((pictures - 0.55) / 0.3, dtype=torch.float32), torch.tensor(suits)


class SuitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(24 * 25, 48)
        self.fc2 = nn.Linear(48, len(SUITS))

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))


def evaluate(net, loader):
    net.eval()
    with torch.no_grad():
        return sum((net(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


def main():
    torch.manual_seed(3)
    train = DataLoader(TensorDataset(*photos(2000, seed=1)), batch_size=32, shuffle=True)
    test = DataLoader(TensorDataset(*photos(600, seed=2)), batch_size=200)
    net = SuitNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(12):
        net.train()
        running = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch + 1}: loss {running / len(train):.4f}  accuracy {evaluate(net, test):.4f}")
    print(f"metric: {evaluate(net, test):.4f}")


if __name__ == "__main__":
    main()
