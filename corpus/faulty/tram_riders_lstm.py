"""Riders of a tram line in the next hour, from two days before, with an LSTM and a plateau rule.

cause: learning-rate-decayed-to-zero
family: rnn
metric: mean squared error, lower
repair:
    - return ReduceLROnPlateau(optimizer, mode="max", factor=0.2, patience=1)
    + return ReduceLROnPlateau(optimizer, mode="min", factor=0.2, patience=1)
"""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

WINDOW = 36


def riders(hours, seed):
    rng = np.random.default_rng(seed)
    hour = np.arange(hours)
    day, weekend = hour % 24, (hour // 24) % 7 >= 5
    rush = np.exp(-((day - 8) ** 2) / 5) + 0.9 * np.exp(-((day - 17) ** 2) / 8)
    leisure = 0.8 * np.exp(-((day - 14) ** 2) / 25)
    weather = np.zeros(hours)
    for t in range(1, hours):
        weather[t] = 0.96 * weather[t - 1] + rng.normal(0, 0.06)
    level = np.where(weekend, leisure, rush + 0.2 * leisure) * np.exp(weather)
    return (level + 0.05 + rng.normal(0, 0.03, hours)).astype(np.float32)


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, window):
        states, _ = self.lstm(window.unsqueeze(2))
        return self.out(states[:, -1]).squeeze(1)


def make_schedule(optimizer):
    return ReduceLROnPlateau(optimizer, mode="max", factor=0.2, patience=1)


def epoch_loss(model, windows, targets, optimizer=None, size=64):
    total = 0.0
    rows = torch.randperm(len(windows)) if optimizer else torch.arange(len(windows))
    for part in rows.split(size):
        loss = nn.functional.mse_loss(model(windows[part]), targets[part])
        if optimizer:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        total += loss.item() * len(part)
    return total / len(windows)


def main():
    torch.manual_seed(14)
    series = torch.from_numpy(riders(24 * 7 * 14, seed=14))
    series = (series - series.mean()) / series.std()
    windows = series.unfold(0, WINDOW + 1, 1)
    x, y = windows[:, :-1], windows[:, -1]
    train, valid, test = slice(0, 1600), slice(1640, 1940), slice(1980, None)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    schedule = make_schedule(optimizer)
    for epoch in range(24):
        model.train()
        train_loss = epoch_loss(model, x[train], y[train], optimizer)
        model.eval()
        with torch.no_grad():
            valid_loss = epoch_loss(model, x[valid], y[valid])
        schedule.step(valid_loss)
        print(f"{epoch:2d} train {train_loss:.4f} valid {valid_loss:.4f}")
    with torch.no_grad():
        print(f"metric: {epoch_loss(model, x[test], y[test]):.5f}")


if __name__ == "__main__":
    main()
