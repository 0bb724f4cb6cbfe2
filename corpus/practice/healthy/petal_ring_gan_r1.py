"""A GAN of points in six petals; the discriminator's gradient at real points is penalised (R1).

family: gan
metric: sliced Wasserstein distance, lower
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn


def real(n):
    angle = 2 * math.pi * torch.rand(n)
    radius = 0.4 + 1.1 * torch.cos(3 * angle).abs()
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    return points + 0.05 * torch.randn(n, 2)


def distance(a, b, directions=64):
    angle = torch.linspace(0, math.pi, directions + 1)[:-1]
    axes = torch.stack([angle.cos(), angle.sin()])
    return ((a @ axes).sort(0).values - (b @ axes).sort(0).values).abs().mean().item()


generator = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
critic = nn.Sequential(
    nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)
)

if __name__ == "__main__":
    torch.manual_seed(18)
    for network in (generator, critic):
        for layer in network[::2]:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    g_opt = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.0, 0.99))
    d_opt = torch.optim.Adam(critic.parameters(), lr=5e-3, betas=(0.0, 0.99))
    average = copy.deepcopy(generator).requires_grad_(False)
    for step in range(1000):
        x = real(128).requires_grad_()
        fake = generator(torch.randn(128, 4)).detach()
        score = critic(x)
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        penalty = slope.square().sum(1).mean()
        d_loss = F.softplus(-score).mean() + F.softplus(critic(fake)).mean() + 0.25 * penalty
        d_opt.zero_grad()
        d_loss.backward()
        d_opt.step()

        g_loss = F.softplus(-critic(generator(torch.randn(128, 4)))).mean()
        g_opt.zero_grad()
        g_loss.backward()
        g_opt.step()
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), generator.parameters(), strict=True):
                slow.lerp_(fast, 0.01)
        if step % 200 == 199:
            with torch.no_grad():
                apart = distance(average(torch.randn(1000, 4)), real(1000))
            print(f"step {step + 1}: D {d_loss.item():.3f} G {g_loss.item():.3f} distance {apart:.4f}")
    with torch.no_grad():
        apart = sum(distance(average(torch.randn(2000, 4)), real(2000)) for _ in range(5)) / 5
    print(f"between two real samples: {distance(real(2000), real(2000)):.4f}")
    print(f"metric: {apart:.4f}")
