"""Points on a trefoil knot, a denoising diffusion model with averaged weights.

family: diffusion
metric: energy distance, lower
"""

import copy
import math

import torch
from torch import nn

LEVELS = 60


def trefoil(count):
    t = 2 * math.pi * torch.rand(count)
    x = torch.sin(t) + 2 * torch.sin(2 * t)
    y = torch.cos(t) - 2 * torch.cos(2 * t)
    z = -torch.sin(3 * t)
    return torch.stack([x, y, z], 1) / 1.6 + 0.03 * torch.randn(count, 3)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.register_buffer("frequencies", 2.0 ** torch.arange(6) * math.pi)
        self.enter = nn.Linear(3 + 12, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
            for _ in range(2)
        )
        for block in self.blocks:
            nn.init.zeros_(block[-1].weight)
            nn.init.zeros_(block[-1].bias)
        self.leave = nn.Linear(width, 3)

    def forward(self, x, level):
        angle = level[:, None] / LEVELS * self.frequencies
        h = self.enter(torch.cat([x, angle.sin(), angle.cos()], 1))
        for block in self.blocks:
            h = h + block(h)
        return self.leave(h)


class Diffusion:
    def __init__(self):
        s = torch.arange(LEVELS + 1) / LEVELS
        kept = torch.cos((s + 0.01) / 1.01 * math.pi / 2) ** 2
        self.beta = (1 - kept[1:] / kept[:-1]).clamp(max=0.5)
        self.kept = torch.cumprod(1 - self.beta, 0)

    def loss(self, model, x):
        level = torch.randint(0, LEVELS, (len(x),))
        noise = torch.randn_like(x)
        a = self.kept[level, None]
        return (model(a.sqrt() * x + (1 - a).sqrt() * noise, level) - noise).square().mean()

    @torch.no_grad()
    def sample(self, model, count):
        x = torch.randn(count, 3)
        for i in reversed(range(LEVELS)):
            level = torch.full((count,), i)
            x = (x - self.beta[i] / (1 - self.kept[i]).sqrt() * model(x, level)) / (1 - self.beta[i]).sqrt()
            if i:
                x = x + self.beta[i].sqrt() * torch.randn_like(x)
        return x


def energy_distance(a, b):
    return (2 * torch.cdist(a, b).mean() - torch.cdist(a, a).mean() - torch.cdist(b, b).mean()).item()


def main():
    torch.manual_seed(27)
    diffusion, model = Diffusion(), Denoiser()
    smooth = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    steps, mean = 1600, 0.0
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for step in range(1, steps + 1):
        loss = diffusion.loss(model, trefoil(128))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        with torch.no_grad():
            for slow, fast in zip(smooth.parameters(), model.parameters(), strict=True):
                slow.lerp_(fast, 0.01)
        mean += loss.item() / 200
        if step % 200 == 0:
            distance = energy_distance(diffusion.sample(smooth, 1000), trefoil(1000))
            print(f"step {step}: loss {mean:.4f}, distance {distance:.5f}")
            mean = 0.0
    print(f"metric: {distance:.5f}")


if __name__ == "__main__":
    main()
