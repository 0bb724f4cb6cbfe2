"""Families of moths by the pattern of a wing.

cause: decay-too-strong
family: cnn
metric: accuracy, higher
repair:
    - optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-2)
    + optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

FAMILIES = ("banded", "eyespot", "spotted", "streaked", "plain edge", "chequered")
SIDE = 28


def wing(family, rng):
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    turn = rng.normal(0, 0.25)
    u, v = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    outline = (u / 0.45) ** 2 + (v / rng.uniform(0.3, 0.4)) ** 2 < 1
    if family == 0:
        mark = np.sin(u * rng.uniform(26, 40) + rng.uniform(0, 6)) > 0.3
    elif family == 1:
        r = np.hypot(u - rng.uniform(-0.2, 0.2), v - rng.uniform(-0.1, 0.1))
        mark = (r < 0.13) & (r > 0.06)
    elif family == 2:
        centres = rng.uniform(-0.35, 0.35, (7, 2))
        mark = np.any([np.hypot(u - a, v - 0.7 * b) < 0.05 for a, b in centres], axis=0)
    elif family == 3:
        mark = np.sin(v * rng.uniform(32, 46) + 3 * u + rng.uniform(0, 6)) > 0.4
    elif family == 4:
        mark = (u / 0.45) ** 2 + (v / 0.35) ** 2 > 0.62
    else:
        k = rng.uniform(20, 28)
        mark = (np.sin(u * k + rng.uniform(0, 6)) * np.sin(v * k + rng.uniform(0, 6))) > 0.15
    ground = rng.uniform(0.35, 0.65)
    image = ground + rng.choice([-1, 1]) * rng.uniform(0.15, 0.3) * mark
    return np.where(outline, image, 0.95) + rng.normal(0, 0.05, (SIDE, SIDE))


def wings(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(FAMILIES), n)
    images = np.stack([wing(k, rng) for k in labels])
    images = torch.tensor(images, dtype=torch.float32).unsqueeze(1)
    return TensorDataset((images - 0.7) / 0.25, torch.tensor(labels))


class VGGSmall(nn.Module):
    cfg = (12, "M", 24, "M", 32, "M")

    def __init__(self, num_classes):
        super().__init__()
        layers, channels = [], 1
        for item in self.cfg:
            if item == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, item, 3, padding=1), nn.ReLU(inplace=True)]
                channels = item
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(32 * 9, 96), nn.ReLU(), nn.Linear(96, num_classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


if __name__ == "__main__":
    torch.manual_seed(31)
    trainloader = DataLoader(wings(1600, 1), batch_size=40, shuffle=True)
    testloader = DataLoader(wings(400, 2), batch_size=200)
    net = VGGSmall(len(FAMILIES))
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-2)
    for epoch in range(12):
        net.train()
        running_loss = 0.0
        for inputs, labels in trainloader:
            optimizer.zero_grad()
            loss = criterion(net(inputs), labels)
            loss.backward()
            optimizer.step()
            running_loss += loss.item()
        net.eval()
        correct = total = 0
        with torch.no_grad():
            for inputs, labels in testloader:
                correct += (net(inputs).argmax(1) == labels).sum().item()
                total += labels.size(0)
        print(
            f"[{epoch + 1}] loss: {running_loss / len(trainloader):.3f} accuracy: {100 * correct // total} %"
        )
    print(f"metric: {correct / total:.4f}")
