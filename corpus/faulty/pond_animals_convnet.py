"""Six kinds of pond animals in small grey pictures, accuracy reported class by class.

cause: evaluating-in-train-mode
begins: 51
family: cnn
metric: mean accuracy of the classes, higher
repair:
    - @torch.no_grad()
    - def report(net, pictures, kinds):
    + @torch.no_grad()
    + def report(net, pictures, kinds):
    +     net.eval()
    - for pictures, kinds in loader:
    + net.train()
    + for pictures, kinds in loader:
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

NAMES = ["newt", "frog", "snail", "beetle", "leech", "shrimp"]


def picture(kind, rng):
    t = np.linspace(0, 1, 60)
    bend, turn = rng.normal(0, 0.4), rng.uniform(0, 2 * np.pi)
    if kind == 0:
        x, y, w = 12 * t - 6, 3 * np.sin(5 * t + bend), 1.2 - 0.8 * t
    elif kind == 1:
        x, y, w = 5 * np.cos(6.3 * t), 3.5 * np.sin(6.3 * t), 1.1 + 0 * t
    elif kind == 2:
        x, y, w = 5 * t * np.cos(13 * t), 5 * t * np.sin(13 * t), 0.7 + 0 * t
    elif kind == 3:
        x, y, w = 5 * (t - 0.5), 0 * t + bend, 3.0 - 4 * np.abs(t - 0.5)
    elif kind == 4:
        x, y, w = 11 * (t - 0.5), 4 * bend * (t - 0.5) ** 2, 0.9 + 0 * t
    else:
        x, y, w = 5 * np.cos(3.5 * t), 5 * np.sin(3.5 * t), 1.3 - t
    scale = rng.uniform(0.8, 1.1)
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    x, y = c * x - s * y + 10 + rng.normal(0, 1), s * x + c * y + 10 + rng.normal(0, 1)
    gy, gx = np.mgrid[0:20, 0:20]
    near = ((gx[..., None] - x) ** 2 + (gy[..., None] - y) ** 2) / w**2
    return np.exp(-near.min(-1)) + rng.normal(0, 0.25, (20, 20))


def pictures_of(count, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(NAMES), count)
    pictures = np.stack([picture(k, rng) for k in kinds]).astype(np.float32)
    return torch.from_numpy(pictures)[:, None], torch.from_numpy(kinds)


class PondNet(nn.Module):
    def __init__(self):
        super().__init__()
        layers, channels = [], 1
        for width in (16, 32, 48):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(48 * 4, len(NAMES))

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


@torch.no_grad()
def report(net, pictures, kinds):
    shares = []
    for k in range(len(NAMES)):
        guesses = net(pictures[kinds == k]).argmax(1)
        shares.append((guesses == k).float().mean().item())
    return shares


def main():
    torch.manual_seed(12)
    train = pictures_of(2500, 1)
    test = pictures_of(900, 2)
    loader = DataLoader(TensorDataset(*train), batch_size=50, shuffle=True)
    net = PondNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(9):
        total = 0.0
        for pictures, kinds in loader:
            optimizer.zero_grad()
            loss = criterion(net(pictures), kinds)
            loss.backward()
            optimizer.step()
            total += loss.item()
        shares = report(net, *test)
        print(f"epoch {epoch} loss {total / len(loader):.4f}", end=" ")
        print(" ".join(f"{name} {share:.2f}" for name, share in zip(NAMES, shares, strict=True)))
    print(f"metric: {np.mean(shares):.4f}")


if __name__ == "__main__":
    main()
