"""Visitors of a museum, forecast an opening day ahead by a GRU.

cause: optimizer-recreated
family: rnn
metric: mse, lower
repair:
    - def train_on_batch(model, windows, targets):
    - optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    + def train_on_batch(model, optimizer, windows, targets):
    - model = VisitorForecaster()
    + model = VisitorForecaster()
    + optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    - total += train_on_batch(model, windows, targets) * len(windows)
    + total += train_on_batch(model, optimizer, windows, targets) * len(windows)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WINDOW = 21


def visitor_log(days=1500, seed=4):
    rng = np.random.default_rng(seed)
    t = np.arange(days)
    weekday = np.array([0.55, 0.6, 0.75, 0.8, 0.95, 1.6, 1.4])[t % 7]
    season = 1 + 0.35 * np.sin(2 * np.pi * t / 365 - 1)
    rain = (rng.random(days) < 0.3).astype(float)
    exhibition = np.convolve(rng.random(days) < 0.01, np.exp(-np.arange(40) / 15))[:days]
    visitors = 900 * weekday * season * (1 + 0.25 * rain) * (1 + 0.5 * exhibition)
    visitors *= rng.normal(1, 0.04, days)
    return np.stack([visitors, rain, np.sin(2 * np.pi * t / 7), np.cos(2 * np.pi * t / 7)], axis=1)


def make_windows(table):
    x = np.stack([table[i : i + WINDOW] for i in range(len(table) - WINDOW)])
    # tomorrow's weather forecast is known
    tomorrow = table[WINDOW:, 1]
    x = np.concatenate([x, np.repeat(tomorrow[:, None, None], WINDOW, axis=1)], axis=2)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(table[WINDOW:, 0], dtype=torch.float32)


class VisitorForecaster(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(5, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        out, _ = self.gru(x)
        return self.head(out[:, -1]).squeeze(-1)


def train_on_batch(model, windows, targets):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
    model.train()
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(windows), targets)
    loss.backward()
    optimizer.step()
    return loss.item()


@torch.no_grad()
def test_error(model, x, y):
    model.eval()
    return nn.functional.mse_loss(model(x), y).item()


def main():
    torch.manual_seed(0)
    table = visitor_log()
    split = 1150
    mean, std = table[:split, 0].mean(), table[:split, 0].std()
    table[:, 0] = (table[:, 0] - mean) / std
    x_train, y_train = make_windows(table[:split])
    x_test, y_test = make_windows(table[split:])
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)

    model = VisitorForecaster()
    for epoch in range(1, 31):
        total = 0.0
        for windows, targets in loader:
            total += train_on_batch(model, windows, targets) * len(windows)
        if epoch % 5 == 0:
            print(f"{epoch}: train {total / len(x_train):.4f} test {test_error(model, x_test, y_test):.4f}")
    print(f"metric: {test_error(model, x_test, y_test):.5f}")


if __name__ == "__main__":
    main()
