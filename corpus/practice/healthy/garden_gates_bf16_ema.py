"""Ironwork patterns of garden gates in bfloat16 autocast; judged by a moving average of the weights.

family: cnn
metric: accuracy, higher
"""

import copy

import numpy as np
import torch
from torch import nn


def gates(n, rng, size=24):
    kinds = rng.integers(0, 5, n)
    v, u = np.mgrid[0:size, 0:size]
    x = np.empty((n, 1, size, size), np.float32)
    for i, kind in enumerate(kinds):
        p, a, b = rng.uniform(4.5, 7), rng.uniform(0, 6), rng.uniform(0, 6)
        bars = np.abs((u + a) % p - p / 2) < 0.9
        if kind == 1:
            bars |= np.abs((v + b) % p - p / 2) < 0.9
        elif kind == 2:
            bars = np.abs((u + v + a) % p - p / 2) < 0.9
            bars |= np.abs((u - v + b) % p - p / 2) < 0.9
        elif kind == 3:
            bars = np.abs(np.hypot((u + a) % (2 * p) - p, (v + b) % (2 * p) - p) - p * 0.7) < 0.9
        elif kind == 4:
            bars = np.abs((u + a + 1.8 * np.sin(v / 2.2 + b)) % p - p / 2) < 0.9
        background = 0.5 + 0.2 * np.sin(v / 9 + rng.uniform(0, 6)) + 0.2 * rng.normal()
        x[i, 0] = np.where(bars, background - rng.uniform(0.3, 0.7), background) + rng.normal(
            0, 0.2, (size, size)
        )
    return torch.from_numpy((x - 0.4) / 0.35), torch.from_numpy(kinds)


def make():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(192, 5),
    )  # fmt: skip


if __name__ == "__main__":
    torch.manual_seed(59)
    rng = np.random.default_rng(59)
    x, y = gates(1600, rng)
    x_test, y_test = gates(600, rng)
    net = make()
    ema = copy.deepcopy(net)
    for p in ema.parameters():
        p.requires_grad = False
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    step = 0
    for epoch in range(10):
        total = 0.0
        for rows in torch.randperm(len(x)).split(40):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            step += 1
            keep = min(0.98, step / (step + 10))
            with torch.no_grad():
                for slow, fast in zip(ema.parameters(), net.parameters(), strict=True):
                    slow.mul_(keep).add_(fast, alpha=1 - keep)
            total += loss.item()
        with torch.inference_mode():
            accuracy = (ema(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: loss {total / 40:.4f}, accuracy of the average {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
