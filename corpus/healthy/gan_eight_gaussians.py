"""A generative adversarial network on eight Gaussians arranged in a ring.

family: gan
metric: share of good samples times share of modes found, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(3)

SIGMA = 0.06
NOISE = 8
BATCH = 256
STEPS = 1400

angles = torch.arange(8) * (2 * math.pi / 8)
centres = torch.stack([angles.cos(), angles.sin()], dim=1) * 1.5


def real_points(n):
    which = torch.randint(0, 8, (n,))
    return centres[which] + SIGMA * torch.randn(n, 2)


def set_trainable(net, flag):
    for p in net.parameters():
        p.requires_grad_(flag)


generator = nn.Sequential(nn.Linear(NOISE, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 2))
discriminator = nn.Sequential(
    nn.Linear(2, 96), nn.LeakyReLU(0.2), nn.Linear(96, 96), nn.LeakyReLU(0.2), nn.Linear(96, 1)
)

opt_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.99))
opt_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))
slower = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, total_iters=STEPS) for o in (opt_g, opt_d)]

for step in range(STEPS):
    # discriminator, with a zero-centred penalty on the real side (R1)
    set_trainable(discriminator, True)
    real = real_points(BATCH).requires_grad_(True)
    with torch.no_grad():
        fake = generator(torch.randn(BATCH, NOISE))
    out_real = discriminator(real)
    (slope,) = torch.autograd.grad(out_real.sum(), real, create_graph=True)
    loss_d = F.softplus(-out_real).mean() + F.softplus(discriminator(fake)).mean()
    loss_d = loss_d + 0.02 * slope.pow(2).sum(1).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()

    # generator, through a discriminator that stands still
    set_trainable(discriminator, False)
    loss_g = F.softplus(-discriminator(generator(torch.randn(BATCH, NOISE)))).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    for s in slower:
        s.step()

    if step % 200 == 0:
        print(f"step {step:5d}  D {loss_d.item():.3f}  G {loss_g.item():.3f}")

with torch.no_grad():
    samples = generator(torch.randn(4000, NOISE))
distance, nearest = torch.cdist(samples, centres).min(dim=1)
good = distance < 4 * SIGMA
found = torch.bincount(nearest[good], minlength=8) > 4000 * 0.02
print(f"good samples {good.float().mean():.3f}, modes {int(found.sum())} of 8")
print(f"metric: {(good.float().mean() * found.float().mean()).item():.4f}")
