"""A least-squares GAN on a banana-shaped density.

family: gan
metric: sliced Wasserstein distance to fresh data, lower
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn


@dataclass
class Settings:
    noise: int = 4
    width: int = 64
    batch: int = 256
    steps: int = 1200
    lr: float = 2e-3
    seed: int = 5


def banana(n):
    a = torch.randn(n)
    b = 0.5 * (a**2 - 1) + 0.35 * torch.randn(n)
    return torch.stack([a, b], 1)


def mlp(*sizes):
    layers = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.LeakyReLU(0.1)]
    return nn.Sequential(*layers[:-1])


def sliced_distance(a, b, directions=50):
    angle = torch.arange(directions) * math.pi / directions
    axes = torch.stack([angle.cos(), angle.sin()])
    return ((a @ axes).sort(0).values - (b @ axes).sort(0).values).abs().mean().item()


def train(cfg):
    torch.manual_seed(cfg.seed)
    g = mlp(cfg.noise, cfg.width, cfg.width, 2)
    d = mlp(2, cfg.width, cfg.width, 1)
    og = torch.optim.Adam(g.parameters(), lr=cfg.lr / 2, betas=(0.5, 0.99))
    od = torch.optim.Adam(d.parameters(), lr=cfg.lr, betas=(0.5, 0.99))
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, cfg.steps) for o in (og, od)]
    for step in range(1, cfg.steps + 1):
        fake = g(torch.randn(cfg.batch, cfg.noise))
        d_loss = 0.5 * ((d(banana(cfg.batch)) - 1) ** 2).mean() + 0.5 * (d(fake.detach()) ** 2).mean()
        od.zero_grad()
        d_loss.backward()
        od.step()

        g_loss = 0.5 * ((d(fake) - 1) ** 2).mean()
        og.zero_grad()
        g_loss.backward()
        og.step()
        for s in schedules:
            s.step()
        if step % 100 == 0:
            print(f"[{step}/{cfg.steps}] d={d_loss.item():.4f} g={g_loss.item():.4f}")
    return g


if __name__ == "__main__":
    settings = Settings()
    generator = train(settings).eval()
    with torch.no_grad():
        made = generator(torch.randn(4000, settings.noise))
    print("real against real:", sliced_distance(banana(4000), banana(4000)))
    print("metric:", sliced_distance(made, banana(4000)))
