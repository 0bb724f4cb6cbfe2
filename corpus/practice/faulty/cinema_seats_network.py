"""How full a cinema's hall will be, from the film, the hour and the weather.

cause: optimizer-recreated
family: mlp
metric: mean squared error, lower
repair:
    - def train_batch(model, x, y):
    - optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    + def train_batch(model, x, y, optimizer):
    - total += train_batch(model, x_train[idx], y_train[idx])
    + total += train_batch(model, x_train[idx], y_train[idx], optimizer)
    - model = Net(x_train.shape[1])
    + model = Net(x_train.shape[1])
    + optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def load_screenings(n=4000):
    rng = np.random.default_rng(55)
    hour = rng.integers(11, 24, n)
    weekday = rng.integers(0, 7, n)
    week_of_run = rng.geometric(0.3, n).clip(max=10)
    critics = rng.beta(4, 3, n)
    price = rng.choice([7.0, 9.5, 12.0], n)
    temperature = rng.normal(12, 8, n)
    rain = rng.random(n) < 0.3
    genre = rng.integers(0, 5, n)
    pull = 1.5 * critics + 0.9 * np.exp(-(((hour - 20) / 2.5) ** 2)) + 0.5 * (weekday >= 4)
    pull += (
        0.4 * rain - 0.025 * np.clip(temperature - 15, 0, None) - 0.22 * week_of_run - 0.09 * (price - 9.5)
    )
    pull += np.array([0.4, -0.3, 0.1, 0.3, -0.5])[genre] * np.where(hour < 17, -0.5, 1)
    seats = 1 / (1 + np.exp(-(2.2 * pull - 2.2))) + rng.normal(0, 0.02, n)
    numbers = np.stack([hour, week_of_run, critics, price, temperature], 1)
    numbers = (numbers - numbers.mean(0)) / numbers.std(0)
    x = np.hstack([numbers, rain[:, None], np.eye(7)[weekday], np.eye(5)[genre]])
    return torch.tensor(x, dtype=torch.float32), torch.tensor(seats, dtype=torch.float32)


class Net(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.l1 = nn.Linear(d, 128)
        self.l2 = nn.Linear(128, 64)
        self.l3 = nn.Linear(64, 1)

    def forward(self, x):
        x = F.relu(self.l1(x))
        x = F.relu(self.l2(x))
        return self.l3(x)[:, 0]


def train_batch(model, x, y):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    optimizer.zero_grad()
    loss = F.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def test_error(model, x, y):
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


if __name__ == "__main__":
    torch.manual_seed(55)
    x, y = load_screenings()
    x_train, y_train, x_test, y_test = x[:3200], y[:3200], x[3200:], y[3200:]
    model = Net(x_train.shape[1])
    for epoch in range(24):
        model.train()
        total = 0.0
        for idx in torch.randperm(3200).split(64):
            total += train_batch(model, x_train[idx], y_train[idx])
        error = test_error(model, x_test, y_test)
        print(f"epoch {epoch + 1}: train {total / 50:.5f} test {error:.5f}")
    print(f"metric: {error:.6f}")
