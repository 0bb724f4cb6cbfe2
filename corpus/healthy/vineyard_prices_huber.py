"""Prices of wine lots from a table of raw columns, a robust loss on log prices.

family: mlp
metric: R2, higher
"""

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def lots(count=5000, seed=61):
    rng = np.random.default_rng(seed)
    year = rng.integers(1975, 2020, count)
    bottles = rng.integers(1, 240, count)
    score = np.clip(rng.normal(90, 3, count), 80, 100)
    hectares = rng.lognormal(9, 0.7, count)
    rain = rng.normal(620, 110, count)
    region = rng.integers(0, 6, count)
    level = np.array([0.0, 0.4, -0.3, 0.8, 0.1, -0.6])[region]
    log_price = 3.5 + level + 0.14 * (score - 90) + 0.02 * (2020 - year) - 0.15 * np.log(hectares / 8000)
    log_price += -0.000008 * (rain - 620) ** 2 + 0.1 * (bottles < 6)
    log_price += 0.15 * rng.standard_t(2.5, count)
    x = np.column_stack([year, bottles, score, hectares, rain, np.eye(6)[region]])
    return x.astype(np.float32), log_price.astype(np.float32)[:, None]


class PriceModel(nn.Module):
    def __init__(self, columns, width=96):
        super().__init__()
        self.norm = nn.BatchNorm1d(columns)
        self.body = nn.Sequential(nn.Linear(columns, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.out(self.body(self.norm(x)))


def main():
    torch.manual_seed(61)
    x, y = lots()
    parts = train_test_split(x, y, test_size=0.2, random_state=3)
    x, test_x, y, test_y = (torch.from_numpy(part) for part in parts)
    centre, spread = y.mean(), y.std()
    loader = DataLoader(TensorDataset(x, (y - centre) / spread), batch_size=64, shuffle=True, drop_last=True)
    model = PriceModel(x.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=16)
    criterion = nn.HuberLoss(delta=0.5)
    for epoch in range(16):
        model.train()
        total = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            guess = model(test_x) * spread + centre
            r2 = 1 - ((guess - test_y).square().mean() / test_y.var()).item()
        print(f"epoch {epoch + 1:2d}  loss {total / len(loader):.4f}  test R2 {r2:.4f}")
    print(f"metric: {r2:.4f}")


if __name__ == "__main__":
    main()
