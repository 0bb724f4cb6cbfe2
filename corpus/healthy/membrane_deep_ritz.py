"""The shape of a loaded membrane as the one of least energy (deep Ritz method), fresh points at every step.

family: mlp
metric: relative error of the deflection, lower
"""

import math

import torch
from torch import nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(3)


class Membrane(nn.Module):
    """A deflection that is zero on the frame of the unit square."""

    def __init__(self, width=40):
        super().__init__()
        self.first = nn.Linear(2, width)
        self.second = nn.Linear(width, width)
        self.last = nn.Linear(width, 1)

    def forward(self, p):
        h = torch.tanh(self.first(p))
        h = h + torch.tanh(self.second(h))
        frame = 16 * (p * (1 - p)).prod(-1)
        return frame * self.last(h).squeeze(-1)


def load(p):
    return 2 * math.pi**2 * torch.sin(math.pi * p[0]) * torch.sin(math.pi * p[1])


model = Membrane()


def energy(parameters, points):
    def density(p):
        slope = grad(lambda q: functional_call(model, parameters, (q,)))(p)
        return 0.5 * slope.square().sum() - load(p) * functional_call(model, parameters, (p,))

    return vmap(density)(points).mean()


def points_in_cells(k=16):
    """A random point and its mirror image in each cell of a k by k grid."""
    corners = torch.cartesian_prod(torch.arange(k), torch.arange(k))
    place = torch.rand(k * k, 2)
    return torch.cat([corners + place, corners + 1 - place]) / k


parameters = dict(model.named_parameters())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=700)
for step in range(700):
    optimizer.zero_grad()
    loss = energy(parameters, points_in_cells())
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(f"step {step:4d}  energy {loss.item():+.4f}   (least: {-(math.pi**2) / 4:+.4f})")

with torch.no_grad():
    grid = torch.cartesian_prod(*[torch.linspace(0, 1, 51)] * 2)
    truth = torch.sin(math.pi * grid).prod(1)
    print("metric:", ((model(grid) - truth).norm() / truth.norm()).item())
