"""The damped wave equation of a plucked string as a physics-informed network, Adam and then L-BFGS.

family: pinn
metric: relative L2 error against the series solution, lower
"""

import math

import torch
import torch.nn as nn

C, DAMP, T = 1.0, 0.3, 2.0


def exact(x, t):
    """Two modes, each a damped cosine at rest at the start."""
    u = torch.zeros_like(x)
    for k, a in ((1, 1.0), (2, 0.4)):
        w = math.sqrt((k * math.pi * C) ** 2 - DAMP**2)
        u = u + a * torch.sin(k * math.pi * x) * torch.exp(-DAMP * t) * (
            torch.cos(w * t) + DAMP / w * torch.sin(w * t)
        )
    return u


class StringNet(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, width), nn.Linear(width, width)])
        self.out = nn.Linear(width, 1)
        for layer in [*self.layers, self.out]:
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x, t):
        h = torch.cat([2 * x - 1, t - 1], 1) * 2
        for layer in self.layers:
            h = torch.tanh(layer(h))
        # the ends are held
        return 4 * x * (1 - x) * self.out(h)


def grad(u, v):
    return torch.autograd.grad(u, v, torch.ones_like(u), create_graph=True)[0]


def losses(model, x, t, x0):
    u = model(x, t)
    u_t, u_x = grad(u, t), grad(u, x)
    residual = grad(u_t, t) + 2 * DAMP * u_t - C**2 * grad(u_x, x)
    t0 = torch.zeros_like(x0).requires_grad_()
    start = model(x0, t0)
    pde = residual.pow(2).mean()
    shape = (start - exact(x0, t0)).pow(2).mean()
    rest = grad(start, t0).pow(2).mean()
    return pde, shape, rest


def sample(n):
    x = torch.rand(n, 1, requires_grad=True)
    t = (torch.rand(n, 1) * T).requires_grad_()
    return x, t


def total(parts):
    pde, shape, rest = parts
    return pde + 100 * shape + 10 * rest


if __name__ == "__main__":
    torch.manual_seed(18)
    model = StringNet()
    x0 = torch.linspace(0, 1, 64).unsqueeze(1)
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for it in range(500):
        parts = losses(model, *sample(192), x0)
        loss = total(parts)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if it % 100 == 0:
            print(f"adam {it:4d} total {loss.item():.4e} " + " ".join(f"{p.item():.2e}" for p in parts))

    x, t = sample(500)
    lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=20, history_size=30, line_search_fn="strong_wolfe")

    def closure():
        lbfgs.zero_grad()
        value = total(losses(model, x, t, x0))
        value.backward()
        return value

    for it in range(14):
        loss = lbfgs.step(closure)
        print(f"lbfgs {it:2d} total {loss.item():.4e}")
    with torch.no_grad():
        gx, gt = torch.meshgrid(torch.linspace(0, 1, 81), torch.linspace(0, T, 81), indexing="ij")
        gx, gt = gx.reshape(-1, 1), gt.reshape(-1, 1)
        error = (model(gx, gt) - exact(gx, gt)).norm() / exact(gx, gt).norm()
    print(f"metric: {error.item():.4f}")
