"""Prices of flats in euros: the network works with standardised numbers inside, the loss is in square euros.

family: mlp
metric: R2, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def flats(n, rng):
    area = rng.gamma(6.0, 13.0, n) + 18
    floor = rng.integers(0, 9, n)
    year = rng.integers(1895, 2024, n)
    distance = rng.exponential(4.0, n)
    lift = rng.random(n) < 0.25 + 0.08 * floor
    per_metre = 6200 * np.exp(-distance / 9) + 12 * np.abs(year - 1955) + 60 * floor * np.where(lift, 1, -1)
    price = area * per_metre * np.exp(0.08 * rng.standard_normal(n))
    table = np.column_stack([area, floor, year, distance, lift])
    return torch.tensor(table, dtype=torch.float32), torch.tensor(price, dtype=torch.float32)


class PriceModel(nn.Module):
    def __init__(self, x, y):
        super().__init__()
        self.register_buffer("x_mean", x.mean(0))
        self.register_buffer("x_std", x.std(0))
        self.register_buffer("y_mean", y.mean())
        self.register_buffer("y_std", y.std())
        self.body = nn.Sequential(nn.Linear(5, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, x):
        out = self.body((x - self.x_mean) / self.x_std).squeeze(-1)
        return self.y_mean + self.y_std * out


torch.manual_seed(0)
rng = np.random.default_rng(8)
x_train, y_train = flats(3000, rng)
x_test, y_test = flats(1000, rng)
model = PriceModel(x_train, y_train)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

for epoch in range(25):
    running = 0.0
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        running += loss.item()
    scheduler.step()
    with torch.no_grad():
        rmse = nn.functional.mse_loss(model(x_test), y_test).sqrt()
    print(f"epoch {epoch + 1:2d}  train mse {running / len(loader):.4e}  test rmse {rmse:.0f} euros")

with torch.no_grad():
    residual = (model(x_test) - y_test).square().sum()
print("metric:", (1 - residual / (y_test - y_test.mean()).square().sum()).item())
