"""House prices in dollars from generated listings.

cause: targets-not-scaled
family: mlp
metric: r2, higher
repair:
    - price = base * (1 + 0.08 * rng.normal(size=n))
    + price = base * (1 + 0.08 * rng.normal(size=n))
    + price = (price - 350_000) / 150_000
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def listings(n, seed):
    rng = np.random.default_rng(seed)
    area = rng.gamma(6, 22, n)
    rooms = np.clip(np.round(area / 28 + rng.normal(0, 0.8, n)), 1, 9)
    age = rng.uniform(0, 90, n)
    distance = rng.exponential(7, n)
    garden = rng.random(n) < 0.4
    base = 40_000 + 2_300 * area + 9_000 * rooms - 900 * age + 60_000 * garden
    base = base * np.exp(-distance / 30) + 25_000 * np.cos(age / 14)
    price = base * (1 + 0.08 * rng.normal(size=n))
    table = np.stack([area, rooms, age, distance, garden], axis=1)
    table = (table - table.mean(0)) / table.std(0)
    return TensorDataset(torch.tensor(table).float(), torch.tensor(price).float().unsqueeze(1))


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.net(x)


if __name__ == "__main__":
    torch.manual_seed(2024)
    train, test = random_split(listings(2000, 2024), [1600, 400])
    loader = DataLoader(train, batch_size=64, shuffle=True)
    model, criterion = Regressor(), nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(20):
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1}: {loss.item():.4g}")
    x, y = (torch.stack(column) for column in zip(*test, strict=True))
    with torch.no_grad():
        residual = (model(x) - y).square().sum()
    print(f"metric: {(1 - residual / (y - y.mean()).square().sum()).item():.4f}")
