"""Points of a pretzel-shaped curve from a denoising diffusion model with averaged weights.

family: diffusion
metric: mean distance between samples and the curve, lower
"""

import copy
import math

import torch
from torch import nn

T = 100


def curve(t):
    x = torch.sin(t) + 2 * torch.sin(2 * t)
    y = torch.cos(t) - 2 * torch.cos(2 * t)
    return torch.stack([x, y], dim=-1) / 2


def cosine_alpha_bar(steps, s=0.008):
    t = torch.linspace(0, 1, steps + 1)
    f = torch.cos((t + s) / (1 + s) * math.pi / 2) ** 2
    betas = (1 - f[1:] / f[:-1]).clamp(max=0.999)
    return betas, torch.cumprod(1 - betas, 0)


class TimeEmbedding(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("freqs", torch.exp(torch.linspace(0, -math.log(1000), dim // 2)))

    def forward(self, t):
        angle = t[:, None].float() * self.freqs
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.a, self.b, self.t = nn.Linear(width, width), nn.Linear(width, width), nn.Linear(32, width)
        nn.init.zeros_(self.b.weight)
        nn.init.zeros_(self.b.bias)

    def forward(self, x, emb):
        h = torch.nn.functional.silu(self.a(self.norm(x)) + self.t(emb))
        return x + self.b(h)


class Denoiser(nn.Module):
    def __init__(self, width=96, depth=3):
        super().__init__()
        self.time = TimeEmbedding(32)
        self.inp = nn.Linear(2, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.out = nn.Linear(width, 2)

    def forward(self, x, t):
        emb = self.time(t)
        h = self.inp(x)
        for block in self.blocks:
            h = block(h, emb)
        return self.out(h)


@torch.no_grad()
def sample(model, n, betas, abar):
    x = torch.randn(n, 2)
    for t in reversed(range(T)):
        eps = model(x, torch.full((n,), t))
        x = (x - betas[t] / (1 - abar[t]).sqrt() * eps) / (1 - betas[t]).sqrt()
        if t > 0:
            var = betas[t] * (1 - abar[t - 1]) / (1 - abar[t])
            x = x + var.sqrt() * torch.randn_like(x)
    return x


def main():
    torch.manual_seed(4)
    betas, abar = cosine_alpha_bar(T)
    model = Denoiser()
    ema = copy.deepcopy(model).requires_grad_(False)
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    steps, warmup = 1500, 100
    sched = torch.optim.lr_scheduler.LambdaLR(
        opt, lambda s: min(1, (s + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * s / steps))
    )
    running = None
    for step in range(1, steps + 1):
        x0 = curve(2 * math.pi * torch.rand(160)) + 0.02 * torch.randn(160, 2)
        t = torch.randint(0, T, (160,))
        noise = torch.randn_like(x0)
        a = abar[t][:, None]
        xt = a.sqrt() * x0 + (1 - a).sqrt() * noise
        loss = (model(xt, t) - noise).pow(2).mean()
        opt.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        decay = min(0.995, (1 + step) / (10 + step))
        for p, q in zip(ema.parameters(), model.parameters(), strict=True):
            p.lerp_(q.detach(), 1 - decay)
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 250 == 0:
            print(f"step {step}: loss {running:.4f}")
    x = sample(ema, 1000, betas, abar)
    line = curve(torch.linspace(0, 2 * math.pi, 2000))
    gaps = torch.cdist(x, line)
    print(f"farthest place of the curve from any sample: {gaps.min(0).values.max().item():.3f}")
    print(f"metric: {gaps.min(1).values.mean().item():.4f}")


if __name__ == "__main__":
    main()
