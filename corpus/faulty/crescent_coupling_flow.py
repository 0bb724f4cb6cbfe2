"""A normalising flow of affine coupling layers learns the density of two crescents.

cause: frozen-parameters
family: flow
metric: negative log-likelihood, lower
repair:
    - log_s = self.scale(fixed).data.clamp(-3, 3)
    + log_s = self.scale(fixed).clamp(-3, 3)
"""

import math

import torch
from sklearn.datasets import make_moons
from torch import nn


def net(out, width=32):
    return nn.Sequential(
        nn.Linear(1, width),
        nn.LeakyReLU(0.1),
        nn.Linear(width, width),
        nn.LeakyReLU(0.1),
        nn.Linear(width, out),
    )


class Coupling(nn.Module):
    """One coordinate is stretched and moved by what the other one says."""

    def __init__(self, which):
        super().__init__()
        self.which = which
        self.scale = net(1)
        self.shift = net(1)

    def forward(self, x):
        fixed, moved = x[:, self.which, None], x[:, 1 - self.which, None]
        log_s = self.scale(fixed).data.clamp(-3, 3)
        moved = moved * log_s.exp() + self.shift(fixed)
        pair = (fixed, moved) if self.which == 0 else (moved, fixed)
        return torch.cat(pair, 1), log_s.squeeze(1)


class Flow(nn.Module):
    def __init__(self, depth=6):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(i % 2) for i in range(depth))

    def log_prob(self, x):
        volume = 0.0
        for layer in self.layers:
            x, log_s = layer(x)
            volume = volume + log_s
        return -0.5 * x.square().sum(1) - math.log(2 * math.pi) + volume


def crescents(n, seed):
    points, _ = make_moons(n, noise=0.05, random_state=seed)
    return torch.tensor((points - [0.5, 0.25]) * [0.6, 1.0], dtype=torch.float32)


torch.manual_seed(1234)
train, test = crescents(4000, 1), crescents(1000, 2)
flow = Flow()
optimizer = torch.optim.Adam(flow.parameters(), lr=2e-3)
for step in range(560):
    rows = torch.randint(len(train), (256,))
    loss = -flow.log_prob(train[rows]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: nll {loss.item():.3f}")
with torch.no_grad():
    print(f"metric: {-flow.log_prob(test).mean().item():.4f}")
