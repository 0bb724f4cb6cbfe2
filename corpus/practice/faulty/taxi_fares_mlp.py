"""Taxi fares in a city from pick-up, drop-off and time.

cause: learning-rate-decayed-to-zero
family: mlp
metric: mae, lower
repair:
    - loss_sum += loss.item() * len(xb)
    - scheduler.step()
    + loss_sum += loss.item() * len(xb)
    - val = validate(model, val_x, val_y)
    + scheduler.step()
    + val = validate(model, val_x, val_y)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def rides(n, seed):
    rng = np.random.default_rng(seed)
    pickup = rng.normal(0, 3, (n, 2))
    dropoff = pickup + rng.normal(0, 3, (n, 2))
    hour = rng.uniform(0, 24, n)
    weekday = rng.integers(0, 7, n)
    airport = np.array([9.0, -6.0])
    to_airport = rng.random(n) < 0.08
    dropoff[to_airport] = airport + rng.normal(0, 0.3, (to_airport.sum(), 2))
    distance = np.abs(pickup - dropoff).sum(1)
    rush = np.exp(-(((hour - 8.5) / 1.5) ** 2)) + np.exp(-(((hour - 17.5) / 2) ** 2))
    centre = np.exp(-(pickup**2).sum(1) / 8)
    fare = 3.5 + 1.7 * distance * (1 + 0.5 * rush * (weekday < 5) * (0.4 + centre))
    fare += 2.5 * ((hour > 22) | (hour < 5)) + 8 * to_airport + rng.normal(0, 0.6, n)
    angle = 2 * np.pi * hour / 24
    x = np.column_stack([pickup, dropoff, np.sin(angle), np.cos(angle), weekday < 5])
    return x.astype(np.float32), fare.astype(np.float32)


class FareNet(nn.Module):
    def __init__(self, inputs, width=128):
        super().__init__()
        self.fc1 = nn.Linear(inputs, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, 1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x).squeeze(-1)


@torch.no_grad()
def validate(model, x, y):
    model.eval()
    return (model(x) - y).abs().mean().item()


def main():
    torch.manual_seed(42)
    x, fare = rides(6000, 1)
    val_x, val_y = rides(1500, 2)
    mean, std = x.mean(0), x.std(0)
    fare_mean, fare_std = fare.mean(), fare.std()
    dataset = TensorDataset(torch.tensor((x - mean) / std), torch.tensor((fare - fare_mean) / fare_std))
    val_x, val_y = torch.tensor((val_x - mean) / std), torch.tensor((val_y - fare_mean) / fare_std)
    loader = DataLoader(dataset, batch_size=64, shuffle=True)

    model = FareNet(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.985)
    for epoch in range(15):
        model.train()
        loss_sum = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(xb), yb)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(xb)
            scheduler.step()
        val = validate(model, val_x, val_y)
        print(f"epoch {epoch + 1:2d}: loss {loss_sum / len(x):.4f}, off by {val * fare_std:.2f} a ride")
    print(f"metric: {val * fare_std:.4f}")


if __name__ == "__main__":
    main()
