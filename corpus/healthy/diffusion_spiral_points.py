"""A small diffusion model that learns to place points on a spiral.

family: diffusion
metric: mean distance from a generated point to the spiral, plus from the spiral to the nearest point, lower
"""

import math

import torch
from torch import nn

T = 60


def spiral(n, noise=0.03):
    turn = torch.sqrt(torch.rand(n)) * 3 * math.pi
    points = torch.stack([turn.cos() * turn, turn.sin() * turn], 1) / (3 * math.pi) * 1.6
    return points + noise * torch.randn(n, 2)


class Denoiser(nn.Module):
    def __init__(self, width=128):
        super().__init__()
        self.register_buffer("freqs", 2.0 ** torch.arange(5))
        self.inp = nn.Linear(2 + 10 + 20, width)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.out = nn.Linear(width, 2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x, t):
        when = (t.float() / T)[:, None] * self.freqs * math.pi / 2
        where = (x[:, :, None] * self.freqs).flatten(1)
        features = [x, when.sin(), when.cos(), where.sin(), where.cos()]
        h = self.inp(torch.cat(features, 1))
        for block in self.blocks:
            h = h + block(nn.functional.silu(h))
        return self.out(nn.functional.silu(h))


betas = torch.linspace(1e-3, 0.12, T)
alphas = 1 - betas
bars = alphas.cumprod(0)


def loss_fn(model, x):
    t = torch.randint(0, T, (len(x),))
    noise = torch.randn_like(x)
    mixed = bars[t].sqrt()[:, None] * x + (1 - bars[t]).sqrt()[:, None] * noise
    return ((model(mixed, t) - noise) ** 2).mean()


@torch.no_grad()
def sample(model, n):
    x = torch.randn(n, 2)
    for t in reversed(range(T)):
        eps = model(x, torch.full((n,), t))
        x = (x - betas[t] / (1 - bars[t]).sqrt() * eps) / alphas[t].sqrt()
        if t:
            x = x + betas[t].sqrt() * torch.randn_like(x)
    return x


if __name__ == "__main__":
    torch.manual_seed(0)
    model = Denoiser()
    shadow = {k: v.clone() for k, v in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    steps = 1200
    warm = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.1)
    smooth = None
    for step in range(steps):
        loss = loss_fn(model, spiral(512))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        warm.step()
        for k, v in model.state_dict().items():
            shadow[k].lerp_(v, 0.02)
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if step % 250 == 0:
            print(step, round(smooth, 4))
    model.load_state_dict(shadow)
    made, real = sample(model, 1500), spiral(1500, noise=0.0)
    gaps = torch.cdist(made, real)
    print("metric:", (gaps.min(1).values.mean() + gaps.min(0).values.mean()).item())
