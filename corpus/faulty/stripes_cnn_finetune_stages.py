"""A convolutional network that reads the direction of faint stripes, its stages released one after another.

cause: frozen-parameters
family: cnn
metric: accuracy, higher
repair:
    - trainable = name.split(".")[0] in open_stages
    + trainable = ".".join(name.split(".")[:2]) in open_stages or name.startswith("head")
"""

import itertools
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

DIRECTIONS = 8
RELEASE = {0: ["head"], 1: ["head", "stages.2"], 2: ["head", "stages.2", "stages.1", "stages.0"]}


def stripes(n, side=20):
    label = torch.randint(DIRECTIONS, (n,))
    angle = label * math.pi / DIRECTIONS
    grid = torch.linspace(-1, 1, side)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    along = angle.cos()[:, None, None] * xx + angle.sin()[:, None, None] * yy
    pitch = 7 + 4 * torch.rand(n, 1, 1)
    image = torch.sin(pitch * along + 2 * math.pi * torch.rand(n, 1, 1))
    return (0.6 * image + torch.randn(n, side, side))[:, None], label


class StripeNet(nn.Module):
    def __init__(self, widths=(8, 12, 16)):
        super().__init__()
        channels = [1, *widths]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(i, o, 5, padding=2, stride=1 + (o > 8)), nn.BatchNorm2d(o), nn.ReLU())
            for i, o in itertools.pairwise(channels)
        )
        self.head = nn.Linear(widths[-1], DIRECTIONS)

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))


def release(model, epoch):
    open_stages = RELEASE[min(epoch, max(RELEASE))]
    for name, p in model.named_parameters():
        trainable = name.split(".")[0] in open_stages
        p.requires_grad_(trainable)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(21)
    x, y = stripes(2000)
    x_val, y_val = stripes(600)
    model = StripeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(9):
        release(model, epoch)
        model.train()
        for rows in torch.randperm(len(x)).split(50):
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f}, validation {accuracy(model, x_val, y_val):.3f}")
    print(f"metric: {accuracy(model, x_val, y_val):.4f}")
