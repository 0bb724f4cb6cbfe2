"""Heartbeats of five kinds from a synthetic electrocardiogram, by a small one-dimensional ConvNeXt.

family: cnn
metric: accuracy, higher
"""

import math

import numpy as np
import torch
from torch import nn

LENGTH = 96


def bump(t, centre, width, height):
    return height * np.exp(-((t - centre) ** 2) / (2 * width**2))


def heartbeats(count, rng):
    """Normal, premature, wide (bundle branch block), without P wave (fibrillation), depressed ST."""
    kind = rng.choice(5, count, p=[0.4, 0.15, 0.15, 0.15, 0.15])
    t = np.linspace(0, 1, LENGTH)[None]

    def about(value, spread=0.1):
        return value * (1 + spread * rng.normal(size=(count, 1)))

    def of(number):
        return (kind == number)[:, None]

    shift = 0.03 * rng.normal(size=(count, 1))
    early = np.where(of(1), 0.08, 0.0)
    width = np.where(of(2), about(0.045), about(0.02))
    p_wave = bump(t, 0.25 + shift - early / 2, 0.03, np.where(of(3), 0.0, about(0.2)))
    q_wave = bump(t, 0.43 + shift - early, 0.015, -about(0.15))
    r_wave = bump(t, 0.47 + shift - early, width, about(1.1, 0.15))
    s_wave = bump(t, 0.52 + shift - early, 0.02, -about(0.3))
    t_wave = bump(t, 0.78 + shift - early, 0.06, about(0.35))
    st = np.where(of(4), -about(0.18), 0.0) * ((t > 0.55 + shift) & (t < 0.7 + shift))
    drift = 0.15 * np.sin(2 * np.pi * (0.7 * t + rng.uniform(size=(count, 1))))
    quiver = np.where(of(3), 0.06, 0.0) * np.sin(2 * np.pi * (7 * t + rng.uniform(size=(count, 1))))
    beat = p_wave + q_wave + r_wave + s_wave + t_wave + st + drift + quiver
    beat = beat + 0.05 * rng.normal(size=beat.shape)
    return torch.tensor(beat / 0.35, dtype=torch.float32).unsqueeze(1), torch.tensor(kind)


class Block(nn.Module):
    """Liu et al. 2022: depthwise convolution, norm, two pointwise layers, a scale that starts near zero."""

    def __init__(self, dim):
        super().__init__()
        self.depthwise = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.expand = nn.Linear(dim, 3 * dim)
        self.contract = nn.Linear(3 * dim, dim)
        self.scale = nn.Parameter(torch.full((dim,), 1e-4))

    def forward(self, x):
        h = self.norm(self.depthwise(x).transpose(1, 2))
        h = self.scale * self.contract(nn.functional.gelu(self.expand(h)))
        return x + h.transpose(1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, dim=24, depth=3):
        super().__init__()
        self.stem = nn.Conv1d(1, dim, 4, stride=4)
        self.blocks = nn.Sequential(*[Block(dim) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim * 6, 5)

    def forward(self, x):
        x = self.norm(self.blocks(self.stem(x)).transpose(1, 2)).transpose(1, 2)
        return self.head(nn.functional.adaptive_avg_pool1d(x, 6).flatten(1))


def groups(model, decay):
    """Matrices and kernels decay; biases, norms and scales do not."""
    with_decay = [p for p in model.parameters() if p.ndim > 1]
    without = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": with_decay, "weight_decay": decay}, {"params": without, "weight_decay": 0.0}]


def main():
    torch.manual_seed(16)
    rng = np.random.default_rng(16)
    x, y = heartbeats(2400, rng)
    x_test, y_test = heartbeats(1000, rng)
    model = ConvNeXt()
    epochs, batch, warm = 10, 48, 40
    steps = epochs * math.ceil(len(x) / batch)
    optimizer = torch.optim.AdamW(groups(model, 0.05), lr=4e-3)
    rates = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, 1.0, warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warm),
        ],
        [warm],
    )
    for epoch in range(epochs):
        for pick in torch.randperm(len(x)).split(batch):
            loss = nn.functional.cross_entropy(model(x[pick]), y[pick], label_smoothing=0.05)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            rates.step()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch} loss {loss.item():.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
