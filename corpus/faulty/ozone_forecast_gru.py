"""Tomorrow's ozone from two weeks of weather and ozone, a GRU on few windows.

cause: overfitting
family: rnn
metric: mean squared error, lower
repair:
    - model = OzoneGRU(hidden=96)
    + model = OzoneGRU(hidden=12)
    - optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    + optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=3e-2)
    - for epoch in range(70):
    + for epoch in range(20):
"""

import numpy as np
import torch
from torch import nn

DAYS = 14


def weather(length, rng):
    t = np.arange(length)
    sun = np.sin(2 * np.pi * t / 365) + rng.normal(0, 0.6, length)
    wind = np.zeros(length)
    ozone = np.zeros(length)
    for i in range(1, length):
        wind[i] = 0.7 * wind[i - 1] + rng.normal(0, 0.7)
        ozone[i] = 0.45 * ozone[i - 1] + 0.35 * sun[i - 1] - 0.3 * max(wind[i - 1], 0) + rng.normal(0, 0.6)
    table = np.column_stack([ozone, sun, wind, rng.normal(0, 1, (length, 5))])
    return (table - table.mean(0)) / table.std(0)


def windows(table):
    x = np.stack([table[i : i + DAYS] for i in range(len(table) - DAYS)])
    return torch.tensor(x, dtype=torch.float32), torch.tensor(table[DAYS:, 0], dtype=torch.float32)


class OzoneGRU(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.gru = nn.GRU(8, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1]).squeeze(1)


def main():
    rng = np.random.default_rng(90)
    torch.manual_seed(90)
    table = weather(1300, rng)
    x, y = windows(table[:400])
    test_x, test_y = windows(table[400:])
    model = OzoneGRU(hidden=96)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    history = []
    for epoch in range(70):
        model.train()
        total = 0.0
        for batch in torch.randperm(len(x)).split(32):
            loss = (model(x[batch]) - y[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch) / len(x)
        model.eval()
        with torch.no_grad():
            history.append((total, (model(test_x) - test_y).square().mean().item()))
        if epoch % 5 == 0:
            print("epoch {}: train {:.4f}, test {:.4f}".format(epoch, *history[-1]))
    print(f"metric: {history[-1][1]:.4f}")


if __name__ == "__main__":
    main()
