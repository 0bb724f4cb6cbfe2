"""Daily sales of twenty bakeries, a week ahead, by dilated causal convolutions.

family: cnn
metric: skill, higher
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import pad

PAST, AHEAD = 56, 7


def sales(shops, days, rng):
    day = np.arange(days)
    week = rng.normal(0, 0.5, (shops, 7))
    pay_day = rng.uniform(0.3, 0.9, (shops, 1)) * np.isin(day % 14, (4, 5, 6))
    year = 0.4 * np.sin(2 * np.pi * day / 365 + rng.uniform(0, 6, (shops, 1)))
    return week[:, day % 7] + pay_day + year + rng.normal(0, 0.15, (shops, days))


class CausalConv(nn.Module):
    def __init__(self, channels, kernel, dilation):
        super().__init__()
        self.left = (kernel - 1) * dilation
        self.conv = nn.Conv1d(channels, channels, kernel, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)

    def forward(self, x):
        return x + self.mix(torch.relu(self.conv(pad(x, (self.left, 0)))))


class Forecaster(nn.Module):
    def __init__(self, channels=24):
        super().__init__()
        self.lift = nn.Conv1d(1, channels, 1)
        self.blocks = nn.Sequential(
            CausalConv(channels, 7, 1), CausalConv(channels, 3, 7), CausalConv(channels, 3, 14)
        )
        self.head = nn.Linear(channels, AHEAD)

    def forward(self, past):
        last_week = past[:, -7:]
        centre = past.mean(1, keepdim=True)
        h = self.blocks(self.lift((past - centre).unsqueeze(1)))
        return last_week + self.head(h[:, :, -1])


def windows(series, first, last, count, rng):
    shop = rng.integers(0, len(series), count)
    start = rng.integers(first, last - PAST - AHEAD, count)
    rows = np.stack([series[s, t : t + PAST + AHEAD] for s, t in zip(shop, start, strict=True)])
    rows = torch.tensor(rows, dtype=torch.float32)
    return rows[:, :PAST], rows[:, PAST:]


def main():
    rng = np.random.default_rng(58)
    torch.manual_seed(58)
    series = sales(20, 1100, rng)
    model = Forecaster()
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-4)
    steps = 800
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
    for step in range(steps):
        past, future = windows(series, 0, 800, 32, rng)
        loss = nn.functional.huber_loss(model(past), future, delta=0.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            print(f"step {step} huber {loss.item():.5f}")
    past, future = windows(series, 800, 1100, 1000, rng)
    with torch.no_grad():
        error = (model(past) - future).abs().mean()
    naive = (past[:, -7:] - future).abs().mean()
    print(f"mean absolute error {error:.4f}, same day last week {naive:.4f}")
    print(f"metric: {(1 - error / naive).item():.4f}")


if __name__ == "__main__":
    main()
