"""The heat equation on a rod, solved by a network that is fitted to the equation at random points.

cause: batch-too-small
family: physics
metric: mean absolute error, lower
repair:
    - inside, edge, start = points(2), borders(1), beginning(1)
    + inside, edge, start = points(80), borders(20), beginning(40)
"""

import math

import torch
from torch import nn

DIFFUSION = 0.15


class Field(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, xt):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(xt))))).squeeze(1)


def exact(xt):
    x, t = xt.T
    slow = torch.sin(math.pi * x) * torch.exp(-DIFFUSION * math.pi**2 * t)
    return slow + 0.5 * torch.sin(2 * math.pi * x) * torch.exp(-4 * DIFFUSION * math.pi**2 * t)


def points(n):
    return torch.rand(n, 2)


def borders(n):
    return torch.stack([torch.randint(2, (n,)).float(), torch.rand(n)], 1)


def beginning(n):
    return torch.stack([torch.rand(n), torch.zeros(n)], 1)


def residual(field, xt):
    xt = xt.requires_grad_()
    u = field(xt)
    (first,) = torch.autograd.grad(u.sum(), xt, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), xt, create_graph=True)
    return first[:, 1] - DIFFUSION * second[:, 0]


def solve(steps=1500):
    field = Field()
    optimizer = torch.optim.Adam(field.parameters(), lr=5e-3)
    for step in range(steps):
        inside, edge, start = points(2), borders(1), beginning(1)
        loss = residual(field, inside).pow(2).mean()
        loss = loss + 5 * field(edge).pow(2).mean() + 5 * (field(start) - exact(start)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 250 == 0:
            print(f"{step:5d} {loss.item():.5f}")
    return field


if __name__ == "__main__":
    torch.manual_seed(17)
    field = solve()
    grid = torch.cartesian_prod(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41))
    with torch.no_grad():
        error = (field(grid) - exact(grid)).abs().mean().item()
    print(f"metric: {error:.5f}")
