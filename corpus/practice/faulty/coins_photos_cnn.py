"""What a coin on the counter is worth, from a small photograph.

cause: momentum-too-high
family: cnn
metric: accuracy, higher
repair:
    - parser.set_defaults(lr=0.02, momentum=0.99)
    + parser.set_defaults(lr=0.02, momentum=0.9)
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

VALUES = (1, 2, 5, 10, 20, 50)


def coin(kind, rng, size=24):
    y, x = np.mgrid[0:size, 0:size] - (size - 1) / 2 + rng.uniform(-2, 2, (2, 1, 1))
    r, phi = np.hypot(x, y), np.arctan2(y, x) + rng.uniform(0, 2 * np.pi)
    radius = (5.5, 6.5, 7.5, 6.5, 7.5, 8.5)[kind] * rng.uniform(0.95, 1.05)
    metal = np.array([0.75, 0.45, 0.3]) if kind < 3 else np.array([0.8, 0.7, 0.35])
    relief = (
        0.15 * np.cos(3 * phi),
        0.15 * np.cos(1.5 * r),
        0.15 * np.cos(5 * phi) * (r > 3),
        0.15 * np.sign(np.cos(4 * phi)),
        0.15 * np.cos(2.2 * r),
        0.15 * np.cos(2 * phi + r),
    )[kind]
    image = np.full((size, size, 3), rng.uniform(0.2, 0.6)) + rng.normal(0, 0.05, (1, 1, 3))
    disc = r < radius
    shine = 0.25 * np.exp(-((x + 3) ** 2 + (y + 3) ** 2) / 8)
    image[disc] = (metal * rng.uniform(0.8, 1.15))[None] + (relief + shine)[disc, None]
    return (image + rng.normal(0, 0.06, image.shape)).transpose(2, 0, 1) - 0.5


def coins(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(VALUES), n)
    return torch.tensor(np.stack([coin(k, rng) for k in kinds]), dtype=torch.float32), torch.tensor(kinds)


class CoinNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 9, 64)
        self.fc2 = nn.Linear(64, len(VALUES))

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(F.max_pool2d(self.conv3(x), 2))
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=40)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--momentum", type=float)
    parser.set_defaults(lr=0.02, momentum=0.99)
    args = parser.parse_args()

    torch.manual_seed(7)
    train_x, train_y = coins(1600, 1)
    test_x, test_y = coins(400, 2)
    net = CoinNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=args.lr, momentum=args.momentum)
    for epoch in range(1, args.epochs + 1):
        net.train()
        permutation = torch.randperm(len(train_x))
        for i in range(0, len(train_x), args.batch_size):
            index = permutation[i : i + args.batch_size]
            optimizer.zero_grad()
            loss = F.cross_entropy(net(train_x[index]), train_y[index])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch}: last loss {loss.item():.3f}, test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
