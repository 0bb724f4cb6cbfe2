"""A GRU that forecasts the angle of a driven pendulum from a window of past angles.

cause: missing-zero-grad
family: rnn
metric: rmse, lower
repair:
    - optimizer.zero_grad()
    - for xb, yb in loader:
    + for xb, yb in loader:
    +     optimizer.zero_grad()
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def simulate(steps, dt=0.05):
    angle, speed = 0.4, 0.0
    out = []
    for t in range(steps * 2):
        force = 0.9 * math.cos(0.66 * t * dt)
        speed += dt * (-0.25 * speed - math.sin(angle) + force)
        angle += dt * speed
        if t % 2 == 0:
            out.append(math.sin(angle))
    return torch.tensor(out)


class Forecaster(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, window):
        _, h = self.gru(window)
        return self.head(h[-1])


def windows(series, length, ahead):
    w = series.unfold(0, length + ahead, 1)
    return w[:, :length, None].contiguous(), w[:, -1:].contiguous()


def main():
    torch.manual_seed(0)
    series = simulate(2600)
    x, y = windows(series, length=20, ahead=5)
    cut = 2000
    loader = DataLoader(TensorDataset(x[:cut], y[:cut]), batch_size=32, shuffle=True)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    mse = nn.MSELoss()

    for epoch in range(1, 13):
        optimizer.zero_grad()
        for xb, yb in loader:
            loss = mse(model(xb), yb)
            loss.backward()
            optimizer.step()
        if epoch % 3 == 0:
            print(f"[{epoch:2d}] last batch {loss.item():.5f}")

    with torch.no_grad():
        rmse = mse(model(x[cut + 30 :]), y[cut + 30 :]).sqrt()
    print(f"metric: {rmse.item():.5f}")


if __name__ == "__main__":
    main()
