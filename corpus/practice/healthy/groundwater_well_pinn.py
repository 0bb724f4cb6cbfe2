"""Groundwater head between two wells in a square aquifer, by a physics-informed network (Poisson equation).

family: pinn
metric: relative error against finite differences, lower
"""

import numpy as np
import torch
from scipy.sparse import diags, identity, kron
from scipy.sparse.linalg import spsolve
from torch import nn

WELLS = ((0.3, 0.35, -1.0), (0.7, 0.6, 0.7))
WIDTH = 0.1


def pumping(x, y, lib=torch):
    return sum(rate * lib.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * WIDTH**2)) * 20 for a, b, rate in WELLS)


def reference(n=61):
    """Finite differences with the head zero along the border."""
    h = 1 / (n - 1)
    inner = np.linspace(0, 1, n)[1:-1]
    d = diags([1, -2, 1], [-1, 0, 1], shape=(n - 2, n - 2)) / h**2
    laplace = kron(identity(n - 2), d) + kron(d, identity(n - 2))
    yy, xx = np.meshgrid(inner, inner, indexing="ij")
    head = spsolve(laplace.tocsc(), -pumping(xx, yy, np).ravel())
    grid = np.stack([xx.ravel(), yy.ravel()], axis=1)
    return torch.tensor(grid, dtype=torch.float32), torch.tensor(head, dtype=torch.float32)


class HeadNet(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
            nn.Linear(width, width),
            nn.Tanh(),
        )
        self.out = nn.Linear(width, 1)

    def forward(self, p):
        x, y = p[:, :1], p[:, 1:]
        # the border is met exactly
        return 16 * x * (1 - x) * y * (1 - y) * self.out(self.net(2 * p - 1))


def laplacian(model, p):
    p = p.requires_grad_(True)
    u = model(p)
    (du,) = torch.autograd.grad(u.sum(), p, create_graph=True)
    total = 0
    for k in range(2):
        (d2,) = torch.autograd.grad(du[:, k].sum(), p, create_graph=True)
        total = total + d2[:, k]
    return total


def main():
    torch.manual_seed(1856)
    model = HeadNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=150, gamma=0.6)
    for it in range(900):
        points = torch.rand(160, 2)
        residual = laplacian(model, points) + pumping(points[:, 0], points[:, 1])
        loss = residual.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if it % 150 == 149:
            print(f"iteration {it + 1}: residual {loss.item():.5f}")
    grid, head = reference()
    with torch.no_grad():
        error = (model(grid)[:, 0] - head).norm() / head.norm()
    print(f"metric: {error.item():.5f}")


if __name__ == "__main__":
    main()
