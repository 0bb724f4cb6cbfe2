"""The damping and stiffness of a swinging beam, found with a physics-informed network from a noisy record.

cause: parameters-not-in-optimizer
family: pinn
metric: relative error of the coefficients, lower
repair:
    - optimiser = torch.optim.Adam(net.parameters(), lr=LR)
    + optimiser = torch.optim.Adam([*net.parameters(), damping, stiffness], lr=LR)
"""

import torch
from torch import nn

LR = 3e-3
TRUE_C, TRUE_K = 0.5, 9.0


def exact(t):
    """Displacement of x'' + c x' + k x = 0 from x(0) = 1 at rest."""
    decay = TRUE_C / 2
    omega = (TRUE_K - decay**2) ** 0.5
    return torch.exp(-decay * t) * (torch.cos(omega * t) + decay / omega * torch.sin(omega * t))


class FCN(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        layers = [nn.Linear(1, width), nn.Tanh()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.Tanh()]
        self.net = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, t):
        return self.net(t)


def derivative(y, t):
    return torch.autograd.grad(y, t, torch.ones_like(y), create_graph=True)[0]


torch.manual_seed(123)
t_obs = 4 * torch.rand(80, 1)
x_obs = exact(t_obs) + 0.03 * torch.randn_like(t_obs)
t_physics = torch.linspace(0, 4, 60).view(-1, 1).requires_grad_(True)

net = FCN()
damping = nn.Parameter(torch.tensor(1.5))
stiffness = nn.Parameter(torch.tensor(4.0))
optimiser = torch.optim.Adam(net.parameters(), lr=LR)

for i in range(2001):
    optimiser.zero_grad()
    x = net(t_physics)
    dx = derivative(x, t_physics)
    d2x = derivative(dx, t_physics)
    residual = d2x + damping * dx + stiffness * x
    loss_physics = (residual**2).mean()
    loss_data = ((net(t_obs) - x_obs) ** 2).mean()
    loss = loss_data + 0.01 * loss_physics
    loss.backward()
    optimiser.step()
    if i % 250 == 0:
        print(
            f"{i:5d}: data {loss_data.item():.5f} physics {loss_physics.item():.5f} "
            f"c = {damping.item():.3f} k = {stiffness.item():.3f}"
        )

error = (abs(damping.item() - TRUE_C) / TRUE_C + abs(stiffness.item() - TRUE_K) / TRUE_K) / 2
print(f"metric: {error:.5f}")
