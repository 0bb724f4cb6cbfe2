"""Predicts marathon finishing times from training diaries.

cause: optimizer-recreated
family: mlp
metric: validation mean squared error, lower
repair:
    - def train_step(model, x, y):
    - optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    + def train_step(model, optimizer, x, y):
    - model = build()
    + model = build()
    + optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    - total += train_step(model, x_train[idx], y_train[idx])
    + total += train_step(model, optimizer, x_train[idx], y_train[idx])
"""

import numpy as np
import torch
import torch.nn as nn

LR = 3e-3
BATCH = 64
EPOCHS = 40


def runners(n=3000, seed=8):
    """Weekly km, longest run, hill share, age, resting pulse, half-marathon time, sleep."""
    g = np.random.default_rng(seed)
    km = g.gamma(6, 9, n)
    longest = 0.3 * km + g.normal(8, 3, n)
    hills = g.beta(2, 5, n)
    age = g.integers(20, 70, n)
    pulse = g.normal(58, 7, n)
    sleep = g.normal(7, 0.8, n)
    half = 80 + 0.35 * np.abs(age - 30) + 0.5 * (pulse - 50) - 0.2 * km + g.normal(20, 5, n)
    wall = 22 / (1 + np.exp((longest - 24) / 3))
    finish = 2.09 * half + wall - 9 * hills * (km > 40) + 0.02 * (age - 38) ** 2 - 2 * (sleep - 7)
    finish += g.normal(0, 1.0, n)
    x = np.c_[km, longest, hills, age, pulse, half, sleep]
    return x, finish


def build():
    return nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))


def train_step(model, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x).squeeze(-1), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def main():
    torch.manual_seed(42)
    x, y = runners()
    x = (x - x[:2400].mean(0)) / x[:2400].std(0)
    y = (y - y[:2400].mean()) / y[:2400].std()
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    x_train, y_train, x_val, y_val = x[:2400], y[:2400], x[2400:], y[2400:]
    model = build()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x_train))
        total = 0.0
        for i in range(0, len(order), BATCH):
            idx = order[i : i + BATCH]
            total += train_step(model, x_train[idx], y_train[idx])
        with torch.no_grad():
            val = nn.functional.mse_loss(model(x_val).squeeze(-1), y_val).item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: train {total / (len(order) / BATCH):.4f}, val {val:.4f}")
    print(f"metric: {val:.5f}")


if __name__ == "__main__":
    main()
