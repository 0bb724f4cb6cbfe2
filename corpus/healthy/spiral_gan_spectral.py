"""Points of a noisy spiral from a generative adversarial network with spectral normalisation.

family: gan
metric: energy distance, lower
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

LATENT = 8


def spiral(count):
    t = torch.rand(count).sqrt() * 3 * math.pi
    points = torch.stack([t * t.cos(), t * t.sin()], 1) / (3 * math.pi)
    return 6.0 * points + 0.1 * torch.randn(count, 2)


def generator_net():
    return nn.Sequential(
        nn.Linear(LATENT, 96),
        nn.LayerNorm(96),
        nn.ReLU(),
        nn.Linear(96, 96),
        nn.LayerNorm(96),
        nn.ReLU(),
        nn.Linear(96, 2),
    )


def critic_net():
    return nn.Sequential(
        spectral_norm(nn.Linear(2, 96)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Linear(96, 96)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Linear(96, 96)),
        nn.LeakyReLU(0.2),
        nn.Linear(96, 1),
    )


def energy_distance(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


def main(steps=1300, batch=128):
    torch.manual_seed(18)
    generator, critic = generator_net(), critic_net()
    average = torch.optim.swa_utils.AveragedModel(
        generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
    )
    opt_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.99))
    opt_d = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.99))
    for step in range(1, steps + 1):
        fake = generator(torch.randn(batch, LATENT))
        d_loss = F.softplus(-critic(spiral(batch))).mean() + F.softplus(critic(fake.detach())).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()

        g_loss = F.softplus(-critic(generator(torch.randn(batch, LATENT)))).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        average.update_parameters(generator)
        if step % 130 == 0:
            with torch.no_grad():
                distance = energy_distance(average(torch.randn(2000, LATENT)), spiral(2000))
            print(f"step {step}: D {d_loss.item():.3f}, G {g_loss.item():.3f}, distance {distance:.5f}")
    print(f"metric: {distance:.6f}")


if __name__ == "__main__":
    main()
