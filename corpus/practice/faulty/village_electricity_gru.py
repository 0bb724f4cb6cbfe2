"""Tomorrow morning's load of a village grid from the last two days; a GRU on hourly readings.

cause: gradient-clipped-away
family: rnn
metric: mean squared error, lower
repair:
    - "clip": 1e-3,
    + "clip": 1.0,
"""

import numpy as np
import torch
from torch import nn

CONFIG = {
    "hidden": 32,
    "window": 48,
    "batch_size": 64,
    "epochs": 6,
    "lr": 0.05,
    "momentum": 0.9,
    "clip": 1e-3,
    "seed": 2019,
}


def simulate_load(days, rng):
    hours = np.arange(days * 24)
    h = hours % 24
    weekday = (hours // 24) % 7
    base = 30 + 12 * np.exp(-((h - 8) ** 2) / 6) + 18 * np.exp(-((h - 19) ** 2) / 8)
    base *= np.where(weekday >= 5, 0.85, 1.0)
    temp = 8 * np.sin(2 * np.pi * hours / (24 * 120)) + np.repeat(rng.normal(0, 2.5, days), 24)
    return base - 0.7 * temp + rng.normal(0, 1.2, len(hours))


def windows(series, width):
    x = np.lib.stride_tricks.sliding_window_view(series, width + 1)
    return torch.tensor(x[:, :-1, None], dtype=torch.float32), torch.tensor(x[:, -1:], dtype=torch.float32)


class LoadForecaster(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out[:, -1])


def train_epoch(model, x, y, optimizer, cfg):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(cfg["batch_size"]):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[idx]), y[idx])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), cfg["clip"])
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


def main():
    cfg = CONFIG
    torch.manual_seed(cfg["seed"])
    rng = np.random.default_rng(cfg["seed"])
    load = simulate_load(170, rng)
    cut = 140 * 24
    mean, std = load[:cut].mean(), load[:cut].std()
    load = (load - mean) / std
    train_x, train_y = windows(load[:cut], cfg["window"])
    test_x, test_y = windows(load[cut - cfg["window"] :], cfg["window"])
    model = LoadForecaster(cfg["hidden"])
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=cfg["momentum"])
    for epoch in range(cfg["epochs"]):
        train_loss = train_epoch(model, train_x, train_y, optimizer, cfg)
        model.eval()
        with torch.no_grad():
            test_loss = nn.functional.mse_loss(model(test_x), test_y).item()
        print(f"epoch {epoch + 1}/{cfg['epochs']} train {train_loss:.4f} test {test_loss:.4f}")
    print(f"metric: {test_loss:.5f}")


if __name__ == "__main__":
    main()
