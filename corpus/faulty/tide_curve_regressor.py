"""A narrow network fitted to a tide curve of two sines.

cause: dead-units
family: mlp
metric: mean squared error, lower
repair:
    - act = nn.ReLU
    + act = nn.ELU
"""

import math

import torch
from torch import nn, optim


class Curve(nn.Module):
    def __init__(self, width: int, depth: int):
        super().__init__()
        act = nn.ReLU
        self.enter = nn.Sequential(nn.Linear(1, width), act())
        self.middle = nn.Sequential(*[nn.Sequential(nn.Linear(width, width), act()) for _ in range(depth)])
        self.leave = nn.Linear(width, 1)

    def forward(self, hours):
        return self.leave(self.middle(self.enter(hours)))


def tide(hours):
    return torch.sin(hours * 2.1) + 0.4 * torch.sin(hours * 4.2 + 0.7)


def fit(model, hours, height, steps):
    opt = optim.NAdam(model.parameters(), lr=4e-3)
    for step in range(steps):
        pick = torch.randint(len(hours), (64,))
        loss = (model(hours[pick]) - height[pick]).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 250 == 0:
            print(f"{step} {math.sqrt(loss.item()):.4f}")


if __name__ == "__main__":
    torch.manual_seed(31)
    hours = torch.rand(800, 1) * 4 - 2
    height = tide(hours) + 0.05 * torch.randn(800, 1)
    model = Curve(width=5, depth=7)
    fit(model, hours, height, steps=1500)
    grid = torch.linspace(-2, 2, 400)[:, None]
    with torch.no_grad():
        print(f"metric: {(model(grid) - tide(grid)).square().mean().item():.6f}")
