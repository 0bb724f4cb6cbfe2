"""Faults in the glaze of ceramic tiles: pinholes, crawling, crazing, or none.

cause: batch-too-small
family: cnn
metric: accuracy, higher
repair:
    - train_loader = DataLoader(train, batch_size=2, shuffle=True, drop_last=True)
    + train_loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

KINDS = ["none", "pinholes", "crawling", "crazing"]


def tile(kind, rng, size=24):
    y, x = np.mgrid[0:size, 0:size]
    image = rng.uniform(0.3, 0.8) + 0.08 * np.sin(x / rng.uniform(3, 8) + rng.uniform(0, 6))
    image = image + rng.normal(0, 0.05, (size, size))
    if kind == 1:
        for _ in range(rng.integers(3, 8)):
            image[tuple(rng.integers(1, size - 1, 2))] -= 0.35
    elif kind == 2:
        cy, cx = rng.uniform(6, size - 6, 2)
        image -= 0.18 * (np.hypot(y - cy, x - cx) < rng.uniform(3, 5))
    elif kind == 3:
        for _ in range(2):
            a, b = rng.uniform(0, np.pi), rng.uniform(-6, 6)
            line = (
                np.abs(np.cos(a) * (x - 12) + np.sin(a) * (y - 12) - b + rng.normal(0, 0.3, image.shape))
                < 0.6
            )
            image -= 0.2 * line
    return image[None] - 0.5


def tiles(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(KINDS), n)
    images = np.stack([tile(k, rng) for k in labels])
    return TensorDataset(torch.tensor(images, dtype=torch.float32), torch.tensor(labels))


def conv_bn(n_in, n_out):
    return [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(inplace=True)]


def train_one_epoch(model, loader, criterion, optimizer):
    model.train()
    total, seen = 0.0, 0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        seen += len(labels)
    return total / seen


def evaluate(model, dataset):
    model.eval()
    images, labels = dataset.tensors
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(1)
    train, test = tiles(900, 1), tiles(400, 2)
    # the graphics card of the line's computer has little memory
    train_loader = DataLoader(train, batch_size=2, shuffle=True, drop_last=True)
    model = nn.Sequential(
        *conv_bn(1, 16),
        nn.MaxPool2d(2),
        *conv_bn(16, 32),
        nn.MaxPool2d(2),
        *conv_bn(32, 32),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, len(KINDS)),
    )
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(4):
        loss = train_one_epoch(model, train_loader, criterion, optimizer)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, test accuracy {evaluate(model, test):.4f}")
    print(f"metric: {evaluate(model, test):.4f}")
