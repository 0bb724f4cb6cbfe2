"""A convolutional network on handwritten digits that are shifted anew in every epoch.

cause: labels-misaligned
family: cnn
metric: accuracy, higher
repair:
    - images = augment(x_train)
    - for i in range(0, len(images), 48):
    - loss = F.cross_entropy(net(images[i : i + 48]), y_train[i : i + 48])
    + images, order = augment(x_train)
    + for i in range(0, len(images), 48):
    +     loss = F.cross_entropy(net(images[i : i + 48]), y_train[order[i : i + 48]])
    - return torch.stack([p[:, dy : dy + 8, dx : dx + 8] for p, (dy, dx) in zip(padded, shifts, strict=True)])
    + out = torch.stack([p[:, dy : dy + 8, dx : dx + 8] for p, (dy, dx) in zip(padded, shifts, strict=True)])
    + return out, order
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

import descend


def augment(images):
    """Mix the images and shift each by up to one pixel."""
    order = torch.randperm(len(images))
    padded = F.pad(images[order], (1, 1, 1, 1))
    shifts = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([p[:, dy : dy + 8, dx : dx + 8] for p, (dy, dx) in zip(padded, shifts, strict=True)])


net = nn.Sequential()
torch.manual_seed(13)
net.add_module("conv1", nn.Conv2d(1, 16, 3, padding=1))
net.add_module("relu1", nn.ReLU())
net.add_module("conv2", nn.Conv2d(16, 24, 3, padding=1, stride=2))
net.add_module("relu2", nn.ReLU())
net.add_module("flat", nn.Flatten())
net.add_module("dense", nn.Linear(24 * 16, 10))

digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16.0
y = torch.tensor(digits.target)
x_train, y_train, x_test, y_test = x[:1440], y[:1440], x[1440:], y[1440:]

optimizer = descend.optimizer("adam", net.parameters(), lr=1.5e-3)
for epoch in range(14):
    images = augment(x_train)
    for i in range(0, len(images), 48):
        loss = F.cross_entropy(net(images[i : i + 48]), y_train[i : i + 48])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
    print(f"{epoch + 1:2d} {loss.item():.4f} {accuracy:.4f}")
print(f"metric: {accuracy:.4f}")
