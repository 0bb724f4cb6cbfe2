"""Points along a handwritten loop by a GAN with hinge losses and spectral normalisation; averaged generator.

family: gan
metric: energy distance to fresh points, lower
"""

import copy
import math

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

torch.manual_seed(4)


def loop(n):
    t = 2 * math.pi * torch.rand(n)
    x, y = torch.sin(t), torch.sin(2 * t + 0.4) * 0.8
    return torch.stack([x, y], 1) + 0.05 * torch.randn(n, 2)


generator = nn.Sequential(nn.Linear(4, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2))
critic = nn.Sequential(
    spectral_norm(nn.Linear(2, 96)),
    nn.LeakyReLU(0.2),
    spectral_norm(nn.Linear(96, 96)),
    nn.LeakyReLU(0.2),
    spectral_norm(nn.Linear(96, 1)),
)
averaged = copy.deepcopy(generator).requires_grad_(False)
g_opt = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.9))
c_opt = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))


def energy_distance(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


for it in range(1150):
    real, fake = loop(128), generator(torch.randn(128, 4)).detach()
    c_loss = (1 - 4 * critic(real)).relu().mean() + (1 + 4 * critic(fake)).relu().mean()
    c_opt.zero_grad()
    c_loss.backward()
    c_opt.step()

    g_loss = -4 * critic(generator(torch.randn(128, 4))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()

    with torch.no_grad():
        for slow, fast in zip(averaged.parameters(), generator.parameters(), strict=True):
            slow.lerp_(fast, 0.01)
        if it % 150 == 0:
            distance = energy_distance(averaged(torch.randn(1000, 4)), loop(1000))
            print(
                f"{it:4d}  critic {c_loss.item():.3f}  generator {g_loss.item():+.3f}  apart {distance:.4f}"
            )

with torch.no_grad():
    print("between two samples of the truth:", energy_distance(loop(2000), loop(2000)))
    print("metric:", energy_distance(averaged(torch.randn(2000, 4)), loop(2000)))
