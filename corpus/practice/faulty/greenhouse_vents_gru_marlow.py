"""A greenhouse's humidity an hour ahead, from its sensors' readings of the last day.

cause: inputs-not-scaled
family: rnn
metric: root mean squared error in points, lower
repair:
    - x = torch.stack([readings[i : i + WINDOW] for i in range(len(readings) - WINDOW)])
    + readings = (readings - readings.mean(0)) / readings.std(0)
    + x = torch.stack([readings[i : i + WINDOW] for i in range(len(readings) - WINDOW)])
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Subset, TensorDataset

WINDOW = 24


def record(hours, seed):
    """Air pressure in pascal, light in lux, carbon dioxide in ppm, temperature in kelvin; and humidity."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(hours, 5, generator=g)
    rows, humidity = [], []
    pressure, cloud, damp = 0.0, 0.0, 0.0
    for t in range(hours):
        pressure = 0.98 * pressure + 0.2 * noise[t, 0].item()
        cloud = 0.9 * cloud + 0.4 * noise[t, 1].item() - 0.05 * pressure
        sun = max(0.0, math.sin(2 * math.pi * (t % 24 - 6) / 24)) * math.exp(-0.5 * max(cloud, 0.0))
        temperature = 288 + 9 * sun - 0.8 * cloud + 0.4 * noise[t, 2].item()
        carbon = 600 - 230 * sun + 15 * noise[t, 3].item()
        damp = 0.85 * damp + 0.15 * (3 * cloud - 6 * sun * (temperature > 292)) + 0.15 * noise[t, 4].item()
        rows.append([101325 + 800 * pressure, 60000 * sun, carbon, temperature])
        humidity.append(damp)
    return torch.tensor(rows), torch.tensor(humidity)


class HumidityGRU(nn.Module):
    def __init__(self, features=4, hidden=48):
        super().__init__()
        self.gru = nn.GRU(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        output, _ = self.gru(x)
        return self.head(output[:, -1]).squeeze(1)


def main():
    torch.manual_seed(9)
    readings, humidity = record(3600, 9)
    humidity = (humidity - humidity.mean()) / humidity.std()
    x = torch.stack([readings[i : i + WINDOW] for i in range(len(readings) - WINDOW)])
    dataset = TensorDataset(x, humidity[WINDOW:])
    train, test = Subset(dataset, range(2900)), Subset(dataset, range(2900, len(dataset)))
    loader = DataLoader(train, batch_size=64, shuffle=True)
    model = HumidityGRU()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15 * len(loader))
    mse = nn.MSELoss()
    for epoch in range(15):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = mse(model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            x_test, y_test = next(iter(DataLoader(test, batch_size=len(test))))
            rmse = mse(model(x_test), y_test).sqrt().item()
        print(f"epoch {epoch + 1:2d} train {total / len(loader):.4f} test rmse {rmse:.4f}")
    print(f"metric: {rmse:.4f}")


if __name__ == "__main__":
    main()
