"""Seven kinds of boats on a canal, with a deep convolutional network trained from the start.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - model.eval()
    - for inputs, targets in trainloader:
    + model.train()
    + for inputs, targets in trainloader:
"""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset

CLASSES = ["barge", "rowing boat", "sail boat", "ferry", "tug", "kayak", "police"]


def draw(kind, rng, size=24):
    y, x = np.mgrid[0:size, 0:size].astype(float)
    scale = rng.uniform(0.85, 1.15)
    x = (x - rng.uniform(10, 13)) / scale * rng.choice([-1, 1])
    y = (y - rng.uniform(14, 16)) / scale
    long = [10, 5, 6, 9, 6, 8, 6][kind]
    high = [3, 2, 2, 3, 4, 1, 2][kind]
    boat = (np.abs(x) < long - 0.6 * np.clip(y, 0, None)) & (y >= 0) & (y < high)
    if kind == 2:
        boat |= (y < 0) & (y > -11) & (x > 0) & (x < 6 + 0.5 * y) | (np.abs(x) < 0.7) & (y < 0) & (y > -11)
    elif kind == 3:
        boat |= (np.abs(x) < 7) & (y < 0) & (y > -4) & (np.floor(x) % 3 > 0)
    elif kind == 4:
        boat |= (x > -3) & (x < 1) & (y < 0) & (y > -6)
    elif kind == 6:
        boat |= (x > -2) & (x < 2) & (y < 0) & (y > -3)
    elif kind == 1:
        boat |= (np.abs(np.abs(x) - y * 0.2 - 4) < 0.8) & (np.abs(y) < 4)
    sky = rng.uniform(0.4, 0.7)
    image = sky + 0.15 * np.sin(y * rng.uniform(0.8, 1.5) + rng.uniform(0, 6)) * (y > 0)
    image = np.where(boat, rng.uniform(0.0, 0.3), image)
    return image + rng.normal(0, 0.07, image.shape)


def dataset(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), n)
    pixels = np.stack([draw(k, rng) for k in labels])[:, None].astype(np.float32)
    return TensorDataset(torch.from_numpy(pixels), torch.from_numpy(labels))


def conv_bn(c_in, c_out, stride=1):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()
    )


def make_model():
    return nn.Sequential(
        conv_bn(1, 12),
        conv_bn(12, 12, stride=2),
        conv_bn(12, 24),
        conv_bn(24, 24, stride=2),
        conv_bn(24, 32),
        conv_bn(32, 32, stride=2),
        conv_bn(32, 48),
        conv_bn(48, 48),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(48, len(CLASSES)),
    )


def accuracy(model, loader):
    correct = total = 0
    model.eval()
    with torch.no_grad():
        for inputs, targets in loader:
            correct += (model(inputs).argmax(1) == targets).sum().item()
            total += len(targets)
    return correct / total


if __name__ == "__main__":
    torch.manual_seed(77)
    trainloader = DataLoader(dataset(1600, 1), batch_size=32, shuffle=True)
    testloader = DataLoader(dataset(500, 2), batch_size=250)
    model = make_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    for epoch in range(8):
        running_loss = 0.0
        model.eval()
        for inputs, targets in trainloader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        acc = accuracy(model, testloader)
        print(f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f}  test accuracy: {acc:.3f}")
    print(f"metric: {acc:.4f}")
