"""The motion of a damped spring from its differential equation alone: a physics-informed net.

family: mlp
metric: max_error, lower
"""

import math

import torch
from torch import nn

torch.manual_seed(1)
ZETA, OMEGA, T_END = 0.15, 2.5, 2.5


class Motion(nn.Module):
    """x(t) = 1 + t^2 N(t): it starts at 1, at rest, whatever the net says."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, t):
        return 1 + t**2 * self.net(2 * t / T_END - 1)


def derivative(y, t):
    return torch.autograd.grad(y, t, torch.ones_like(y), create_graph=True)[0]


def residual(model, t):
    x = model(t)
    v = derivative(x, t)
    a = derivative(v, t)
    return a + 2 * ZETA * OMEGA * v + OMEGA**2 * x


def exact(t):
    damped = OMEGA * math.sqrt(1 - ZETA**2)
    ratio = ZETA / math.sqrt(1 - ZETA**2)
    return torch.exp(-ZETA * OMEGA * t) * (torch.cos(damped * t) + ratio * torch.sin(damped * t))


model = Motion()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9985)
for step in range(2000):
    t = (T_END * torch.rand(64, 1)).requires_grad_(True)
    loss = residual(model, t).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 300 == 0:
        print(f"step {step:4d} squared residual {loss.item():.3e}")

with torch.no_grad():
    t = torch.linspace(0, T_END, 300).unsqueeze(1)
    print(f"metric: {(model(t) - exact(t)).abs().max().item():.5f}")
