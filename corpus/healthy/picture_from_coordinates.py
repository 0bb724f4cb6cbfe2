"""A picture as a function of its coordinates: sine layers fit half of the pixels and fill in the others.

family: mlp
metric: PSNR on the pixels left out (dB), higher
"""

import math

import torch
from torch import nn

torch.manual_seed(0)
SIDE = 56
axis = torch.linspace(-1, 1, SIDE)
xy = torch.cartesian_prod(axis, axis)


def picture(p):
    x, y = p.T
    sun = torch.sigmoid(25 * (0.35 - (x - 0.3).hypot(y + 0.35)))
    waves = 0.25 * torch.sin(9 * x + 3 * torch.sin(4 * y))
    hill = torch.sigmoid(14 * (y - 0.2 - 0.3 * torch.sin(3 * x)))
    return (0.35 + 0.6 * sun + waves * (1 - hill) - 0.2 * hill).clamp(0, 1)


grey = picture(xy)
known = torch.rand(len(xy)) < 0.5


class Sine(nn.Module):
    def __init__(self, size, out, omega, first=False):
        super().__init__()
        self.omega = omega
        self.linear = nn.Linear(size, out)
        bound = 1 / size if first else math.sqrt(6 / size) / omega
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


model = nn.Sequential(Sine(2, 64, 12.0, first=True), Sine(64, 64, 12.0), Sine(64, 64, 12.0), nn.Linear(64, 1))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(700):
    opt.zero_grad()
    mse = (model(xy[known]).squeeze(-1) - grey[known]).square().mean()
    mse.backward()
    opt.step()
    if step % 100 == 0:
        print(f"step {step} psnr {-10 * math.log10(mse.item()):.2f} dB")

with torch.no_grad():
    left_out = (model(xy[~known]).squeeze(-1) - grey[~known]).square().mean().item()
print("metric:", -10 * math.log10(left_out))
