"""An LSTM that foretells the millimetres of rain of the next hour, never below nothing.

cause: dead-units
family: rnn
metric: mean squared error, lower
repair:
    - return F.relu(self.head(out[:, -1])).squeeze(1)
    + return F.softplus(self.head(out[:, -1])).squeeze(1)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WINDOW = 12


def diary(hours, rng):
    """Humidity, pressure and rain: rain falls when humidity is high while the pressure drops."""
    humidity, pressure, rain = np.zeros(hours), np.zeros(hours), np.zeros(hours)
    for t in range(1, hours):
        humidity[t] = 0.92 * humidity[t - 1] + 0.4 * rng.normal()
        pressure[t] = 0.95 * pressure[t - 1] + 0.3 * rng.normal()
        fall = pressure[max(t - 4, 0)] - pressure[t]
        rain[t] = max(0.0, 1.2 * humidity[t - 1] + 1.5 * fall - 2.0) + 0.02 * rng.random()
    return np.stack([humidity, pressure, rain], 1).astype(np.float32)


class RainModel(nn.Module):
    def __init__(self, inputs=3, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return F.relu(self.head(out[:, -1])).squeeze(1)


def windows(table):
    x = torch.tensor(table).unfold(0, WINDOW, 1).transpose(1, 2)[:-1]
    return x.contiguous(), torch.tensor(table[WINDOW:, 2])


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(x), y).item()


def main():
    torch.manual_seed(6)
    table = diary(3200, np.random.default_rng(5))
    x, y = windows(table)
    x_train, y_train, x_test, y_test = x[:2500], y[:2500], x[2520:], y[2520:]
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
    model = RainModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for epoch in range(10):
        model.train()
        for xb, yb in loader:
            loss = F.mse_loss(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: train {loss.item():.4f} test {evaluate(model, x_test, y_test):.4f}")
    print(f"metric: {evaluate(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
