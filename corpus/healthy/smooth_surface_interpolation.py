"""A network with far more parameters than points goes through all points of a smooth surface.

family: mlp
metric: R2 between the points, higher
"""

import torch
from torch import nn

import descend

torch.set_default_dtype(torch.float64)
torch.manual_seed(1)


def surface(p):
    return (torch.sin(2.5 * p[:, :1]) * torch.cos(2 * p[:, 1:]) + 0.5 * p[:, :1]).contiguous()


points = torch.quasirandom.SobolEngine(2, seed=1).draw(200).double() * 2 - 1
between = torch.rand(2000, 2) * 2 - 1

net = nn.Sequential(nn.Linear(2, 100), nn.Tanh(), nn.Linear(100, 100), nn.Tanh(), nn.Linear(100, 1))
with torch.no_grad():
    net[0].weight *= 3
    net[0].bias *= 3
print(sum(p.numel() for p in net.parameters()), "parameters,", len(points), "points")
optimizer = descend.SOAP(net.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
z = surface(points)
for step in range(1, 501):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(points), z)
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        with torch.no_grad():
            off = nn.functional.mse_loss(net(between), surface(between)).item()
        print(f"step {step} at the points {loss.item():.2e} between {off:.2e}")

print("metric:", 1 - off / surface(between).var().item())
