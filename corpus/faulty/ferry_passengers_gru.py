"""A GRU learns how many passengers the next ferry carries.

cause: optimizer-recreated
family: rnn
metric: mean squared error, lower
repair:
    - def train_one_epoch(model, x, y, lr):
    + def train_one_epoch(model, x, y, optimizer):
    - optimizer = torch.optim.Adagrad(model.parameters(), lr=lr)
    - model.train()
    + model.train()
    - train_loss = train_one_epoch(model, x_train, y_train, lr=0.03)
    + train_loss = train_one_epoch(model, x_train, y_train, optimizer)
    - best = float("inf")
    + best = float("inf")
    + optimizer = torch.optim.Adagrad(model.parameters(), lr=0.03)
"""

import math

import numpy as np
import torch
from torch import nn

LOOK_BACK = 21
BATCH = 64


def passengers(days=420, seed=31):
    """Passengers per day, more on fine weekends and in summer; with the weather and the weekday."""
    rng = np.random.default_rng(seed)
    day = np.arange(days)
    weather = np.zeros(days)
    for i in range(1, days):
        weather[i] = 0.7 * weather[i - 1] + 0.7 * rng.normal()
    weekend = (day % 7 >= 5).astype(float)
    count = 1 + 0.8 * np.sin(2 * math.pi * (day - 100) / 365) + 0.9 * weekend * (1 + 0.6 * np.tanh(weather))
    count += 0.35 * np.roll(weather, 1) + 0.06 * rng.normal(size=days)
    week = 2 * math.pi * (day + 1) / 7
    table = np.stack([(count - count.mean()) / count.std(), weather, np.sin(week), np.cos(week)], 1)
    return torch.tensor(table, dtype=torch.float32)


class Forecaster(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(4, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])[:, 0]


def train_one_epoch(model, x, y, lr):
    optimizer = torch.optim.Adagrad(model.parameters(), lr=lr)
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[idx]), y[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    return total / len(x)


def validate(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(x), y).item()


def main():
    torch.manual_seed(31)
    table = passengers()
    x = torch.stack([table[i : i + LOOK_BACK] for i in range(len(table) - LOOK_BACK)])
    y = table[LOOK_BACK:, 0]
    x_train, y_train, x_val, y_val = x[:320], y[:320], x[320:], y[320:]
    model = Forecaster()
    best = float("inf")
    for epoch in range(120):
        train_loss = train_one_epoch(model, x_train, y_train, lr=0.03)
        val_loss = validate(model, x_val, y_val)
        best = min(best, val_loss)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d} train {train_loss:.4f} val {val_loss:.4f} best {best:.4f}")
    print(f"metric: {val_loss:.5f}")


if __name__ == "__main__":
    main()
