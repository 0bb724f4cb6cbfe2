"""A network that solves Burgers' equation for traffic density: Adam first, LBFGS to finish.

family: physics-informed
metric: relative error, lower
"""

import math

import numpy as np
import torch
from torch import nn

torch.manual_seed(6)
NU = 0.1


class Density(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, x, t):
        return self.net(torch.cat([x, 2 * t - 1], 1))


def residual(u, x, t):
    x, t = x.requires_grad_(), t.requires_grad_()
    y = u(x, t)
    y_x, y_t = torch.autograd.grad(y.sum(), (x, t), create_graph=True)
    (y_xx,) = torch.autograd.grad(y_x.sum(), x, create_graph=True)
    return y_t + y * y_x - NU * y_xx


def total_loss(u, x, t, x0, tb):
    physics = residual(u, x, t).square().mean()
    start = (u(x0, torch.zeros_like(x0)) + torch.sin(math.pi * x0)).square().mean()
    walls = u(torch.ones_like(tb), tb).square().mean() + u(-torch.ones_like(tb), tb).square().mean()
    return physics + 10 * start + 5 * walls


def exact(x, t):
    """The Cole-Hopf solution, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite.hermgauss(60)
    z = x[:, None] - 2 * np.sqrt(NU * t)[:, None] * nodes
    kernel = np.exp(-np.cos(np.pi * z) / (2 * np.pi * NU)) * weights
    return -(np.sin(np.pi * z) * kernel).sum(1) / kernel.sum(1)


if __name__ == "__main__":
    u = Density()
    adam = torch.optim.Adam(u.parameters(), lr=5e-3)
    for step in range(500):
        x, t = 2 * torch.rand(128, 1) - 1, torch.rand(128, 1)
        x0, tb = 2 * torch.rand(48, 1) - 1, torch.rand(24, 1)
        loss = total_loss(u, x, t, x0, tb)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step % 100 == 0:
            print(f"adam {step}: {loss.item():.5f}")

    x, t = 2 * torch.rand(400, 1) - 1, torch.rand(400, 1)
    x0, tb = torch.linspace(-1, 1, 60)[:, None], torch.linspace(0, 1, 40)[:, None]
    lbfgs = torch.optim.LBFGS(u.parameters(), max_iter=20, history_size=30, line_search_fn="strong_wolfe")

    def closure():
        lbfgs.zero_grad()
        loss = total_loss(u, x, t, x0, tb)
        loss.backward()
        return loss

    for step in range(30):
        loss = lbfgs.step(closure)
        if step % 5 == 4:
            print(f"lbfgs {step + 1}: {loss.item():.6f}")

    xs, ts = np.meshgrid(np.linspace(-1, 1, 41), np.linspace(0.05, 1, 20))
    truth = exact(xs.ravel(), ts.ravel())
    with torch.no_grad():
        grid = [torch.tensor(a.reshape(-1, 1), dtype=torch.float32) for a in (xs, ts)]
        guess = u(*grid)[:, 0].numpy()
    print(f"metric: {np.linalg.norm(guess - truth) / np.linalg.norm(truth):.5f}")
