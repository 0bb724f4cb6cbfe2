"""A rod that cools: the heat equation at fixed collocation points, by Adam and then by L-BFGS.

family: mlp
metric: relative error of the temperature, lower
"""

import math

import torch
from torch import nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
ALPHA = 0.1

net = nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
for layer in net:
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
        nn.init.zeros_(layer.bias)


def exact(x, t):
    first = torch.sin(math.pi * x) * torch.exp(-ALPHA * math.pi**2 * t)
    third = torch.sin(3 * math.pi * x) * torch.exp(-ALPHA * 9 * math.pi**2 * t)
    return first + 0.5 * third


inside = torch.quasirandom.SobolEngine(2, scramble=True, seed=1).draw(400).double()
x0 = torch.linspace(0, 1, 60)[:, None]
start = torch.cat([x0, torch.zeros_like(x0)], 1)
ends = torch.cat([torch.stack([torch.full((40,), e), torch.linspace(0, 1, 40)], 1) for e in (0.0, 1.0)])


def residual():
    xt = inside.clone().requires_grad_(True)
    u = net(xt)
    du = torch.autograd.grad(u.sum(), xt, create_graph=True)[0]
    u_xx = torch.autograd.grad(du[:, 0].sum(), xt, create_graph=True)[0][:, 0]
    return du[:, 1] - ALPHA * u_xx


def total_loss():
    physics = residual().square().mean()
    initial = (net(start) - exact(x0, torch.zeros(1))).square().mean()
    boundary = net(ends).square().mean()
    return physics + 20 * initial + 20 * boundary


adam = torch.optim.Adam(net.parameters(), lr=5e-3)
for step in range(500):
    adam.zero_grad()
    loss = total_loss()
    loss.backward()
    adam.step()
    if step % 100 == 0:
        print(f"adam {step:4d} {loss.item():.3e}")

lbfgs = torch.optim.LBFGS(net.parameters(), max_iter=20, history_size=30, line_search_fn="strong_wolfe")


def closure():
    lbfgs.zero_grad()
    value = total_loss()
    value.backward()
    return value


for round_ in range(20):
    loss = lbfgs.step(closure)
    if round_ % 5 == 0:
        print(f"lbfgs {round_:3d} {loss.item():.3e}")

grid = torch.cartesian_prod(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41))
with torch.no_grad():
    truth = exact(grid[:, :1], grid[:, 1:])
    print("metric:", ((net(grid) - truth).norm() / truth.norm()).item())
