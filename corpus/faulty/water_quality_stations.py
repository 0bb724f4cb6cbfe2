"""Dissolved oxygen from other readings, the records of fourteen measuring stations one after another.

cause: data-not-shuffled
family: mlp
metric: mean squared error, lower
repair:
    - for start in range(0, len(x), batch_size):
    - rows = slice(start, start + batch_size)
    + order = torch.randperm(len(x))
    + for start in range(0, len(x), batch_size):
    +     rows = order[start : start + batch_size]
"""

import numpy as np
import torch
from torch import nn, optim

STATIONS = 14


def records(per_station, seed):
    rng = np.random.default_rng(seed)
    place = np.random.default_rng(99)
    tables = []
    for _station in range(STATIONS):
        altitude, depth, salt = place.uniform(0, 2), place.uniform(-1, 1), place.normal()
        temperature = rng.normal(-0.6 * altitude, 1, per_station)
        turbidity = rng.normal(depth, 0.5, per_station)
        flow = rng.normal(altitude, 0.7, per_station)
        nitrate = rng.normal(0, 1, per_station) + 0.4 * salt
        oxygen = (
            -0.8 * temperature
            + 0.5 * np.tanh(2 * flow)
            - 0.4 * turbidity * (nitrate > 0)
            - 0.9 * salt * np.cos(2 * temperature)
            + 0.9 * depth * flow
            + rng.normal(0, 0.15, per_station)
        )
        constant = np.tile([altitude - 1, depth, salt], (per_station, 1))
        tables.append(np.column_stack([temperature, turbidity, flow, nitrate, constant, oxygen]))
    return np.concatenate(tables).astype(np.float32)


def load():
    train, test = records(320, 3), records(70, 4)
    mean, std = train.mean(0), train.std(0)
    train, test = torch.from_numpy((train - mean) / std), torch.from_numpy((test - mean) / std)
    return train[:, :-1], train[:, -1:], test[:, :-1], test[:, -1:]


def train_one_epoch(net, opt, x, y, batch_size=32):
    seen = 0.0
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen += loss.item() * len(x[rows])
    return seen / len(x)


def main():
    torch.manual_seed(31)
    x, y, test_x, test_y = load()
    net = nn.Sequential(nn.Linear(7, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 1))
    opt = optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(1, 16):
        train = train_one_epoch(net, opt, x, y)
        with torch.no_grad():
            test = nn.functional.mse_loss(net(test_x), test_y).item()
        print(f"epoch {epoch:2d}   train {train:.4f}   test {test:.4f}")
    print(f"metric: {test:.5f}")


if __name__ == "__main__":
    main()
