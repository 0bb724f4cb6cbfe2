"""What an airport's X-ray machine sees in hand luggage, a plain convolutional network.

cause: gradient-clipped-away
family: cnn
metric: accuracy, higher
repair:
    - MAX_NORM = 1e-3
    + MAX_NORM = 1.0
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

ITEMS = ("bottle", "laptop", "scissors", "ring of keys", "nothing")
MAX_NORM = 1e-3
SIDE = 20


def scan(n, generator):
    label = torch.randint(len(ITEMS), (n,), generator=generator)
    ax = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(ax, ax, indexing="ij")

    def uniform(low, high):
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    angle, cx, cy = uniform(0, math.pi), uniform(-0.35, 0.35), uniform(-0.35, 0.35)
    u = (x - cx) * angle.cos() + (y - cy) * angle.sin()
    v = (y - cy) * angle.cos() - (x - cx) * angle.sin()
    r = (u**2 + v**2).sqrt()
    bottle = ((u.abs() < 0.55) & (v.abs() < 0.17)).float() * 0.6
    laptop = ((u.abs() < 0.6) & (v.abs() < 0.45)).float() * 0.45
    scissors = (((u - v * 0.6).abs() < 0.08) | ((u + v * 0.6).abs() < 0.08)).float() * (r < 0.6)
    keys = ((r > 0.28) & (r < 0.42)).float() * 0.8
    shapes = torch.stack([bottle, laptop, scissors, keys, torch.zeros_like(keys)])
    image = shapes[label, torch.arange(n)]
    for _ in range(2):
        blob = torch.exp(-((x - uniform(-1, 1)) ** 2 + (y - uniform(-1, 1)) ** 2) / uniform(0.02, 0.3))
        image = image + 0.4 * blob
    image = torch.exp(-image) + 0.06 * torch.randn(n, SIDE, SIDE, generator=generator)
    return (image.unsqueeze(1) - 0.75) / 0.2, label


class LuggageNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 5 * 5, 80)
        self.fc2 = nn.Linear(80, len(ITEMS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


def train_epoch(model, optimizer, x, y, batch_size=40):
    model.train()
    loss_sum = 0.0
    for rows in torch.randperm(len(x)).split(batch_size):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
        optimizer.step()
        loss_sum += loss.item() * len(rows)
    return loss_sum / len(x)


if __name__ == "__main__":
    torch.manual_seed(66)
    generator = torch.Generator().manual_seed(66)
    x, y = scan(1600, generator)
    x_test, y_test = scan(500, generator)
    model = LuggageNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
    for epoch in range(11):
        loss = train_epoch(model, optimizer, x, y)
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: loss {loss:.4f}, test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
