"""The density of two interlocked rings by affine coupling layers, compared with the density they came from.

family: flow
metric: nats above the entropy per point, lower
"""

import math

import torch
from torch import nn

torch.manual_seed(2)
SIZE, WIDTH = 0.12, 0.024
CENTRES = SIZE * torch.tensor([[-0.5, 0.0], [0.5, 0.0]])


def sample(n):
    angle = torch.rand(n) * 2 * math.pi
    radius = SIZE + WIDTH * torch.randn(n)
    return CENTRES[torch.randint(0, 2, (n,))] + torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


def true_log_density(x):
    radius = (x[:, None] - CENTRES).norm(dim=-1)
    ring = torch.distributions.Normal(SIZE, WIDTH).log_prob(radius) - (2 * math.pi * radius).log()
    return torch.logsumexp(ring, 1) - math.log(2)


class Coupling(nn.Module):
    def __init__(self, flip, hidden=64):
        super().__init__()
        self.flip = flip
        self.net = nn.Sequential(
            nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, 2)
        )
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, x):
        keep, move = x.flip(1).unbind(1) if self.flip else x.unbind(1)
        log_scale, shift = self.net(keep[:, None]).unbind(1)
        log_scale = 2 * torch.tanh(log_scale / 2)
        move = move * log_scale.exp() + shift
        out = torch.stack([move, keep] if self.flip else [keep, move], 1)
        return out, log_scale


first = sample(1000)
MEAN, STD = first.mean(0), first.std(0)
layers = nn.ModuleList(Coupling(i % 2 == 0) for i in range(8))


def log_density(x):
    x, total = (x - MEAN) / STD, -STD.log().sum()
    for layer in layers:
        x, log_det = layer(x)
        total = total + log_det
    return total - 0.5 * x.square().sum(1) - math.log(2 * math.pi)


steps = 700
optimizer = torch.optim.Adam(layers.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
for step in range(steps):
    loss = -log_density(sample(256)).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    if step % 100 == 0:
        print(f"{step:4d} nll {loss.item():+.3f}")

with torch.no_grad():
    x = sample(20000)
    print(f"entropy {-true_log_density(x).mean():+.3f}  model {-log_density(x).mean():+.3f}")
    print("metric:", (true_log_density(x) - log_density(x)).mean().item())
