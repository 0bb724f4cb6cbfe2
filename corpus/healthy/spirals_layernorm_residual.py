"""Three interleaved spirals separated by a deep residual perceptron, with annealed noise on the gradients.

family: mlp
metric: accuracy, higher
"""

import math

import torch
from torch import nn


def spirals(count, noise, generator):
    arm = torch.randint(0, 3, (count,), generator=generator)
    t = torch.rand(count, generator=generator).sqrt()
    angle = 2 * math.pi * (arm / 3 + 1.25 * t)
    points = torch.stack([t * angle.cos(), t * angle.sin()], 1) * 2
    return points + noise * torch.randn(count, 2, generator=generator), arm


class PreNormBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class DeepNet(nn.Module):
    def __init__(self, width=32, depth=6):
        super().__init__()
        self.embed = nn.Linear(2, width)
        self.blocks = nn.ModuleList(PreNormBlock(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, 3)

    def forward(self, x):
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))


def add_noise(parameters, step, eta=0.003, gamma=0.55):
    """Neelakantan et al. 2015: Gaussian noise of variance eta / (1 + t)^gamma on each gradient."""
    std = math.sqrt(eta / (1 + step) ** gamma)
    for p in parameters:
        p.grad.add_(torch.randn_like(p.grad), alpha=std)


def main():
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(9)
    x, y = spirals(2500, 0.03, generator)
    x_test, y_test = spirals(1000, 0.03, generator)
    model = DeepNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    steps = 600
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=steps, power=1.0)
    for step in range(steps):
        pick = torch.randint(0, len(x), (100,), generator=generator)
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        add_noise(model.parameters(), step)
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            print(f"{step:4d} {loss.item():.4f}")
    with torch.no_grad():
        print(f"metric: {(model(x_test).argmax(1) == y_test).float().mean().item():.4f}")


main()
