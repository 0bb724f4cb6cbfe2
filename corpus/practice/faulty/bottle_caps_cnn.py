"""Counting points of bottle caps for a collectors' app: ten brands, one picture at a time in the app.

cause: evaluating-in-train-mode
begins: 42
family: cnn
metric: accuracy, higher
repair:
    - hits = 0
    + net.eval()
    + hits = 0
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

BRANDS, SIDE = 10, 24


def photograph(n, g):
    label = torch.randint(0, BRANDS, (n,), generator=g)
    grid = torch.linspace(-1.1, 1.1, SIDE)
    v, u = torch.meshgrid(grid, grid, indexing="ij")
    angle = 2 * math.pi * torch.rand(n, 1, 1, generator=g)
    r = (u**2 + v**2).sqrt() * (0.9 + 0.2 * torch.rand(n, 1, 1, generator=g))
    phi = torch.atan2(v, u) + angle
    leaves = (label % 5 + 2).view(-1, 1, 1)
    emblem = (torch.cos(leaves * phi) > 2.2 * r - 0.6) & (r < 0.7)
    tint = 0.25 + 0.35 * (label >= 5).view(-1, 1, 1) + 0.1 * torch.rand(n, 1, 1, generator=g)
    light = 0.85 + 0.3 * torch.rand(n, 1, 1, generator=g)
    image = (tint * (r < 1) + 0.35 * emblem) * light
    image = image + 0.07 * torch.randn(n, SIDE, SIDE, generator=g)
    return image.unsqueeze(1), label


class CapNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 9, BRANDS)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        x = F.max_pool2d(F.relu(self.bn3(self.conv3(x))), 2)
        return self.fc(x.flatten(1))


def train(net, images, labels, optimizer):
    net.train()
    for idx in torch.randperm(len(images)).split(64):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images[idx]), labels[idx])
        loss.backward()
        optimizer.step()
    return loss.item()


def test(net, images, labels):
    hits = 0
    with torch.no_grad():
        for image, label in zip(images, labels, strict=True):
            hits += int(net(image[None]).argmax() == label)
    return hits / len(images)


torch.manual_seed(10)
g = torch.Generator().manual_seed(1010)
train_images, train_labels = photograph(2600, g)
test_images, test_labels = photograph(400, g)
net = CapNet()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, weight_decay=1e-4)
for epoch in range(1, 8):
    loss = train(net, train_images, train_labels, optimizer)
    accuracy = test(net, test_images, test_labels)
    print(f"epoch {epoch}: last loss {loss:.3f}, single pictures right {accuracy:.3f}")
print(f"metric: {accuracy:.4f}")
