"""A surface with hills and a valley, learned by four layers of tanh units.

family: mlp
metric: rmse, lower
"""

from itertools import pairwise

import torch
from torch import nn

torch.manual_seed(14)


def height(p):
    x, y = p[:, 0], p[:, 1]
    hill = 1.5 * torch.exp(-((x - 0.5) ** 2 + (y + 0.3) ** 2) * 4)
    valley = torch.exp(-((x + 0.6) ** 2 + (y - 0.5) ** 2) * 6)
    return hill - valley + 0.4 * torch.sin(3 * x) * torch.cos(2 * y)


points = torch.rand(4000, 2) * 2 - 1
heights = height(points) + 0.05 * torch.randn(4000)
scale = heights.std()
heights = (heights / scale).unsqueeze(1)

layers = []
sizes = [2, 48, 48, 48, 48]
for n_in, n_out in pairwise(sizes):
    linear = nn.Linear(n_in, n_out)
    nn.init.xavier_uniform_(linear.weight, gain=nn.init.calculate_gain("tanh"))
    nn.init.zeros_(linear.bias)
    layers += [linear, nn.Tanh()]
surface = nn.Sequential(*layers, nn.Linear(48, 1))

optimizer = torch.optim.Adam(surface.parameters(), lr=3e-3)
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[700, 1000], gamma=0.2)
for step in range(1200):
    pick = torch.randint(0, 4000, (128,))
    loss = nn.functional.mse_loss(surface(points[pick]), heights[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()
    if (step + 1) % 200 == 0:
        print(f"step {step + 1}: mse {loss:.5f}")

grid = torch.cartesian_prod(torch.linspace(-0.98, 0.98, 40), torch.linspace(-0.98, 0.98, 40))
with torch.no_grad():
    error = surface(grid).squeeze(1) * scale - height(grid)
print(f"metric: {error.square().mean().sqrt().item():.5f}")
