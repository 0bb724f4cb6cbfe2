"""Silhouettes of six birds against a grey sky.

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - output = model(images)
    + optimizer.zero_grad()
    + output = model(images)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

BIRDS = {  # wing's span, wing's depth, tail's length, neck's length
    "swallow": (9, 1.5, 6, 1),
    "gull": (10, 1.8, 2, 2),
    "duck": (6, 2.5, 2, 4),
    "heron": (9, 3.0, 5, 5),
    "pigeon": (6, 3.0, 3, 1.5),
    "swift": (10, 1.0, 1.5, 1),
}


def silhouettes(n, seed, size=24):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] - size / 2 + 0.5
    shapes = np.array(list(BIRDS.values()))
    labels = rng.integers(0, len(BIRDS), n)
    images = np.empty((n, 1, size, size), np.float32)
    for image, label in zip(images, labels, strict=True):
        span, depth, tail, neck = shapes[label] * rng.uniform(0.85, 1.15, 4)
        angle = rng.uniform(-0.4, 0.4)
        dx, dy = rng.uniform(-2, 2, 2)
        u = np.cos(angle) * (x - dx) - np.sin(angle) * (y - dy)
        v = np.sin(angle) * (x - dx) + np.cos(angle) * (y - dy)
        bird = (u / 1.8) ** 2 + (v / 3.5) ** 2 < 1
        bird |= (np.abs(u) < span) & (np.abs(v + 0.15 * np.abs(u)) < depth * (1 - np.abs(u) / span) + 0.4)
        bird |= (np.abs(u) < 0.9) & (v > 0) & (v < 3 + tail)
        bird |= (np.abs(u) < 0.8) & (v < 0) & (v > -3 - neck)
        image[0] = 0.7 - 0.5 * bird + rng.normal(0, 0.12, (size, size))
    return TensorDataset(torch.from_numpy((images - 0.6) / 0.25), torch.from_numpy(labels))


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 6 * 6, 64)
        self.fc2 = nn.Linear(64, len(BIRDS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def train(model, loader, optimizer, epoch):
    model.train()
    total = 0
    for images, labels in loader:
        output = model(images)
        loss = F.cross_entropy(output, labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Train Epoch: {epoch}\tLoss: {total / len(loader):.6f}")


def test(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            pred = model(images).argmax(dim=1, keepdim=True)
            correct += pred.eq(labels.view_as(pred)).sum().item()
    print(f"Test set: Accuracy: {correct}/{len(loader.dataset)}")
    return correct / len(loader.dataset)


def main():
    torch.manual_seed(1)
    train_loader = DataLoader(silhouettes(2400, 1), batch_size=64, shuffle=True)
    test_loader = DataLoader(silhouettes(600, 2), batch_size=200)
    model = CNN()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(1, 13):
        train(model, train_loader, optimizer, epoch)
        accuracy = test(model, test_loader)
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
