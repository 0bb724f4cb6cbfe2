"""Alcohol in a brewery's fermentation tank, minute by minute, from four online sensors.

cause: labels-misaligned
family: rnn
metric: rmse, lower
repair:
    - target = lab[: len(sensors)]
    + target = lab[complete]
"""

import numpy as np
import torch
from torch import nn

WINDOW = 20


def tank_log(minutes, seed):
    rng = np.random.default_rng(seed)
    drive = np.zeros((minutes, 3))
    for t in range(1, minutes):
        drive[t] = 0.93 * drive[t - 1] + 0.37 * rng.normal(size=3)
    mixing = np.random.default_rng(8).normal(size=(3, 4))
    sensors = drive @ mixing + 0.1 * rng.normal(size=(minutes, 4))
    alcohol = 5 + np.tanh(drive[:, 0]) + 0.6 * drive[:, 1] * drive[:, 2] + 0.05 * rng.normal(size=minutes)
    broken = rng.random(minutes) < 0.02
    sensors[broken, rng.integers(0, 4, broken.sum())] = np.nan
    return sensors, alcohol


def load(minutes, seed):
    sensors, lab = tank_log(minutes, seed)
    complete = ~np.isnan(sensors).any(axis=1)
    sensors = sensors[complete]
    target = lab[: len(sensors)]
    return sensors.astype(np.float32), target.astype(np.float32)


def windows(sensors, target):
    view = np.lib.stride_tricks.sliding_window_view(sensors, WINDOW, axis=0).transpose(0, 2, 1)
    return torch.from_numpy(view.copy()), torch.from_numpy(target[WINDOW - 1 :])


class TankModel(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.gru = nn.GRU(4, hidden, batch_first=True)
        self.readout = nn.Sequential(nn.Linear(hidden, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        _, h = self.gru(x)
        return self.readout(h[-1]).squeeze(-1)


def main():
    torch.manual_seed(3)
    x, y = windows(*load(5000, seed=1))

    # the other tank's sensors were all intact
    raw, lab = tank_log(1500, seed=2)
    raw = np.nan_to_num(raw)
    x_test, y_test = windows(raw.astype(np.float32), lab.astype(np.float32))

    mean, std = x.mean((0, 1)), x.std((0, 1))
    x, x_test = (x - mean) / std, (x_test - mean) / std
    y_mean, y_std = y.mean(), y.std()

    model = TankModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    for epoch in range(10):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), (y[rows] - y_mean) / y_std)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        scheduler.step()
        model.eval()
        with torch.no_grad():
            rmse = (model(x_test) * y_std + y_mean - y_test).square().mean().sqrt().item()
        print(f"epoch {epoch + 1}: train {total / len(x):.4f}, other tank's rmse {rmse:.4f}")
    print(f"metric: {rmse:.4f}")


if __name__ == "__main__":
    main()
