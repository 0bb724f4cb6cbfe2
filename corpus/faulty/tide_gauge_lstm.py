"""The next six readings of a tide gauge with surges, an LSTM on windows.

cause: gradient-clipped-away
family: rnn
metric: mean squared error, lower
repair:
    - clip_value: float = 3e-4
    + clip_value: float = 1.0
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Config:
    window: int = 36
    horizon: int = 6
    hidden: int = 40
    lr: float = 0.1
    momentum: float = 0.9
    clip_value: float = 3e-4
    batch: int = 48
    epochs: int = 9


def gauge(length, seed=11):
    rng = np.random.default_rng(seed)
    t = np.arange(length)
    moon = 1.0 * np.sin(2 * np.pi * t / 12.42) + 0.35 * np.sin(2 * np.pi * t / 12.0 + 1)
    daily = 0.25 * np.sin(2 * np.pi * t / 25.8 + 0.5)
    surge = np.zeros(length)
    for i in range(1, length):
        surge[i] = 0.95 * surge[i - 1] + rng.normal(0, 0.08)
    level = moon + daily + surge + rng.normal(0, 0.03, length)
    return ((level - level.mean()) / level.std()).astype(np.float32)


class TideModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.lstm = nn.LSTM(1, config.hidden, batch_first=True)
        self.head = nn.Linear(config.hidden, config.horizon)

    def forward(self, x):
        _, (h, _) = self.lstm(x.unsqueeze(-1))
        return self.head(h[-1])


def cut(level, config):
    size = config.window + config.horizon
    pieces = torch.from_numpy(np.lib.stride_tricks.sliding_window_view(level, size).copy())
    return pieces[:, : config.window], pieces[:, config.window :]


def run(config):
    torch.manual_seed(11)
    level = gauge(4200)
    x, y = cut(level[:3400], config)
    test_x, test_y = cut(level[3400:], config)
    model = TideModel(config)
    optimizer = torch.optim.SGD(model.parameters(), lr=config.lr, momentum=config.momentum)
    for epoch in range(config.epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(config.batch):
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(model.parameters(), config.clip_value)
            optimizer.step()
            total += loss.item() * len(rows)
        model.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(test_x), test_y).item()
        print(f"epoch {epoch}: train {total / len(x):.4f}, test {error:.4f}")
    return error


if __name__ == "__main__":
    print(f"metric: {run(Config()):.5f}")
