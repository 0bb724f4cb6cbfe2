"""Points on a clover curve are learnt by denoising score matching and drawn again by annealed Langevin steps.

family: diffusion
metric: mean distance of drawn points to the curve, lower
"""

import torch
from torch import nn

torch.manual_seed(3)
SIGMAS = torch.logspace(0, -1.5, 12)


def clover(n):
    t = torch.rand(n) * 2 * torch.pi
    r = 1.2 * torch.cos(1.5 * t).abs() + 0.3
    return torch.stack([r * t.cos(), r * t.sin()], 1) + 0.02 * torch.randn(n, 2)


class ScoreNet(nn.Module):
    """What noise was added, of the point and the level's logarithm."""

    def __init__(self, width=96):
        super().__init__()
        self.inp = nn.Linear(2, width)
        self.level = nn.Embedding(len(SIGMAS), width)
        self.h1 = nn.Linear(width, width)
        self.h2 = nn.Linear(width, width)
        self.out = nn.Linear(width, 2)
        self.act = nn.SiLU()

    def forward(self, x, k):
        h = self.act(self.inp(x) + self.level(k))
        h = self.act(self.h1(h) + self.level(k))
        h = self.act(self.h2(h))
        return self.out(h)


def sample(net, n, steps=25, eps=0.15):
    x = torch.randn(n, 2)
    with torch.no_grad():
        for k, s in enumerate(SIGMAS):
            level = torch.full((n,), k)
            for _ in range(steps):
                score = -net(x, level) / s
                step = eps * s**2
                x = x + step * score + (2 * step).sqrt() * torch.randn_like(x)
        return x - SIGMAS[-1] * net(x, level)  # a last step without noise


net = ScoreNet()
ema = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=2000)
points = clover(8000)

average = None
for it in range(1, 2001):
    x = points[torch.randint(len(points), (256,))]
    k = torch.randint(len(SIGMAS), (len(x),))
    noise = torch.randn_like(x)
    loss = (net(x + SIGMAS[k, None] * noise, k) - noise).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    ema.update_parameters(net)
    average = loss.item() if average is None else 0.99 * average + 0.01 * loss.item()
    if it % 400 == 0:
        print(f"{it}: loss {average:.4f}")

ema.eval()
drawn = sample(ema, 800)
curve = clover(4000)
to_curve = torch.cdist(drawn, curve).min(1)[0].mean()
to_drawn = torch.cdist(curve, drawn).min(1)[0].mean()
print(f"curve to the nearest drawn point: {to_drawn:.4f}")
print(f"metric: {to_curve:.4f}")
