"""Drawn textures (stripes, checks, rings, dots) sorted by a residual net with group normalisation.

family: cnn
metric: accuracy, higher
"""

import math

import numpy as np
import torch
from torch import nn

SIZE = 16
NAMES = ["horizontal", "vertical", "diagonal", "checks", "rings", "dots"]


def draw(kind, rng):
    u, v = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    frequency = rng.uniform(0.9, 1.6)
    phase, other = rng.uniform(0, 2 * math.pi, 2)
    if kind == "horizontal":
        image = np.sin(frequency * v + phase)
    elif kind == "vertical":
        image = np.sin(frequency * u + phase)
    elif kind == "diagonal":
        image = np.sin(frequency * (u + rng.choice([-1, 1]) * v) / 1.4 + phase)
    elif kind == "checks":
        image = np.sign(np.sin(frequency * u + phase) * np.sin(frequency * v + other))
    elif kind == "rings":
        cx, cy = rng.uniform(4, 12, 2)
        image = np.sin(frequency * np.hypot(u - cx, v - cy) + phase)
    else:
        image = -np.ones((SIZE, SIZE))
        for _ in range(rng.integers(5, 9)):
            cx, cy = rng.uniform(1, SIZE - 1, 2)
            image[np.hypot(u - cx, v - cy) < 1.7] = 1
    return image + rng.normal(0, 0.5, image.shape)


def make(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(NAMES), count)
    images = np.stack([draw(NAMES[k], rng) for k in labels])
    return torch.tensor(images, dtype=torch.float32).unsqueeze(1), torch.tensor(labels)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1 = nn.GroupNorm(4, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(4, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        # Each block starts as the identity (Zhang et al. 2019, Fixup; Goyal et al. 2017).
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x):
        h = self.conv1(torch.relu(self.norm1(x)))
        return x + self.conv2(torch.relu(self.norm2(h)))


class ResNet(nn.Module):
    def __init__(self, channels=16, blocks=3):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.blocks = nn.Sequential(*[Residual(channels) for _ in range(blocks)])
        self.norm = nn.GroupNorm(4, channels)
        self.head = nn.Linear(channels, len(NAMES))

    def forward(self, x):
        h = torch.relu(self.norm(self.blocks(self.stem(x))))
        return self.head(h.mean((2, 3)))


if __name__ == "__main__":
    torch.manual_seed(1)
    x, y = make(1500, 0)
    x_test, y_test = make(500, 1)
    model = ResNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    epochs = 8
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        total = 0.0
        for pick in torch.randperm(len(x)).split(50):
            loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pick)
        scheduler.step()
        print(f"epoch {epoch} loss {total / len(x):.4f}")
    with torch.no_grad():
        print(f"metric: {(model(x_test).argmax(1) == y_test).float().mean().item():.4f}")
