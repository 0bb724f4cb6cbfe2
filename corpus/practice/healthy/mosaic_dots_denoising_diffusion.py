"""A denoising diffusion model of a mosaic of five dots, sampled from the weights' running average.

family: diffusion
metric: share of samples on a dot, higher
"""

import copy
import math

import torch
from torch import nn

STEPS = 60
CENTRES = 1.2 * torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [0.0, 0.0], [1.0, -1.0], [1.0, 1.0]])
betas = torch.linspace(1e-3, 0.15, STEPS)
alphas = 1 - betas
kept = torch.cumprod(alphas, 0)


def dots(n):
    dot = CENTRES[torch.randint(len(CENTRES), (n,))]
    return dot + 0.2 * torch.randn(n, 2)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.inp = nn.Linear(2 + 16, width)
        self.mid = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, t):
        frequencies = torch.exp(torch.arange(8) * -math.log(60.0) / 8)
        angle = t[:, None].float() * frequencies
        h = torch.nn.functional.silu(self.inp(torch.cat([x, angle.sin(), angle.cos()], 1)))
        for layer in self.mid:
            h = h + torch.nn.functional.silu(layer(h))
        return self.out(h)


@torch.no_grad()
def sample(net, n):
    x = torch.randn(n, 2)
    for t in reversed(range(STEPS)):
        noise = net(x, torch.full((n,), t))
        x = (x - betas[t] / (1 - kept[t]).sqrt() * noise) / alphas[t].sqrt()
        if t:
            x = x + betas[t].sqrt() * torch.randn_like(x)
    return x


def on_a_dot(points):
    return (torch.cdist(points, CENTRES).amin(1) < 0.6).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(10)
    net = Denoiser()
    average = copy.deepcopy(net).requires_grad_(False)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500, eta_min=1e-4)
    running = 1.0
    for step in range(1500):
        x = dots(256)
        t = torch.randint(STEPS, (256,))
        noise = torch.randn_like(x)
        noisy = kept[t].sqrt()[:, None] * x + (1 - kept[t]).sqrt()[:, None] * noise
        loss = (net(noisy, t) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        with torch.no_grad():
            for a, p in zip(average.parameters(), net.parameters(), strict=True):
                a.lerp_(p, 0.01)
        running += 0.02 * (loss.item() - running)
        if step % 300 == 299:
            print(f"step {step + 1}: loss {running:.4f}, on a dot {on_a_dot(sample(average, 500)):.3f}")
    print(f"truth: {on_a_dot(dots(2000)):.3f}")
    print(f"metric: {on_a_dot(sample(average, 2000)):.4f}")
