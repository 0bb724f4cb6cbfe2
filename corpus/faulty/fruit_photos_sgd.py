"""Apples, pears, bananas, cherries and lemons, photographed on a plate.

cause: optimizer-recreated
family: cnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    - optimizer.zero_grad()
    + optimizer.zero_grad()
    - def train_step(model, images, labels, lr):
    + def train_step(model, images, labels, optimizer):
    - train_step(model, images, labels, lr=0.004)
    + train_step(model, images, labels, optimizer)
    - model = FruitNet()
    + model = FruitNet()
    + optimizer = torch.optim.SGD(model.parameters(), lr=0.004, momentum=0.9)
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

FRUIT = ["apple", "pear", "banana", "cherry", "lemon"]


def photo(kind, rng, size=24):
    y, x = np.mgrid[0:size, 0:size] - size / 2
    a = rng.uniform(-0.8, 0.8)
    dx, dy = rng.uniform(-2.5, 2.5, 2)
    u, v = np.cos(a) * (x - dx) - np.sin(a) * (y - dy), np.sin(a) * (x - dx) + np.cos(a) * (y - dy)
    s = rng.uniform(0.85, 1.15)
    u, v = u / s, v / s
    if kind == 0:
        mask = np.hypot(u, v) < 7
    elif kind == 1:
        mask = (np.hypot(u, v - 2.5) < 5.5) | (np.hypot(u, v + 4) < 3.2)
    elif kind == 2:
        mask = (np.abs(np.hypot(u, v - 9) - 9.5) < 2) & (np.abs(u) < 8) & (v < 4)
    elif kind == 3:
        mask = (np.hypot(u - 3, v - 3) < 3.2) | (np.hypot(u + 3, v - 2) < 3.2)
        mask |= (np.abs(np.abs(u) * 2 + v - 7 + 9) < 1.2) & (v < 1) & (v > -8)
    else:
        mask = ((u / 5) ** 2 + (v / 7.5) ** 2 < 1) | (np.hypot(u * 1.5, np.abs(v) - 7) < 1.8)
    red, green = rng.uniform(0.5, 1), rng.uniform(0.2, 0.9)
    picture = np.full((3, size, size), 0.75) + rng.normal(0, 0.1, (3, 1, 1))
    shade = 1 - 0.25 * np.hypot(u + 2, v + 2) / 8
    picture = np.where(mask, np.array([red, green, 0.2])[:, None, None] * shade, picture)
    return picture + rng.normal(0, 0.07, picture.shape)


def photos(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(FRUIT), n)
    x = np.stack([photo(k, rng) for k in y])
    return TensorDataset(torch.tensor((x - 0.6) / 0.25, dtype=torch.float32), torch.tensor(y))


class FruitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 3, padding=1)
        self.f1, self.f2 = nn.Linear(32 * 36, 96), nn.Linear(96, len(FRUIT))

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.c1(x)), 2)
        x = F.max_pool2d(torch.relu(self.c2(x)), 2)
        return self.f2(torch.relu(self.f1(x.flatten(1))))


def train_step(model, images, labels, lr):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluate(model, dataset):
    model.eval()
    images, labels = dataset.tensors
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(16)
    train_loader = DataLoader(photos(2000, 1), batch_size=50, shuffle=True)
    val_set = photos(500, 2)
    model = FruitNet()
    for epoch in range(12):
        for images, labels in train_loader:
            train_step(model, images, labels, lr=0.004)
        print(f"epoch {epoch + 1}: validation accuracy {evaluate(model, val_set):.3f}")
    print(f"metric: {evaluate(model, val_set):.4f}")
