"""Tomorrow's demand for electricity: its 10th, 50th and 90th percentile, by the pinball loss.

family: mlp
metric: coverage_error, lower
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def days(count, rng):
    hour = rng.integers(0, 24, count)
    weekend = rng.random(count) < 2 / 7
    temperature = rng.normal(12, 8, count)
    base = 40 + 12 * np.sin((hour - 8) * np.pi / 12) - 6 * weekend + 0.06 * (temperature - 18) ** 2
    spread = 2 + 2.5 * (hour > 16) + 0.15 * np.abs(temperature - 12)
    demand = base + spread * rng.standard_t(5, count)
    x = np.column_stack([np.sin(hour * np.pi / 12), np.cos(hour * np.pi / 12), hour > 16, weekend])
    x = np.column_stack([x, (temperature - 12) / 8])
    return torch.tensor(x, dtype=torch.float32), torch.tensor((demand - 45) / 12, dtype=torch.float32)


class Percentiles(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 3))

    def forward(self, x):
        low, middle, high = self.body(x).unbind(1)
        steps = nn.functional.softplus(torch.stack([low, high], 1))
        return torch.stack([middle - steps[:, 0], middle, middle + steps[:, 1]], 1)


def pinball(predicted, actual):
    error = actual[:, None] - predicted
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


if __name__ == "__main__":
    torch.manual_seed(90)
    rng = np.random.default_rng(90)
    x, demand = days(6000, rng)
    x_test, demand_test = days(4000, rng)
    model = Percentiles()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    epochs = 12
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loader = DataLoader(TensorDataset(x, demand), batch_size=64, shuffle=True)
    for epoch in range(epochs):
        losses = []
        for features, actual in loader:
            optimizer.zero_grad()
            loss = pinball(model(features), actual)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        with torch.no_grad():
            below = (demand_test[:, None] < model(x_test)).float().mean(0)
        print(f"epoch {epoch:2d} pinball {np.mean(losses):.5f} below {[round(b, 3) for b in below.tolist()]}")
    print(f"metric: {(below - QUANTILES).abs().max().item():.4f}")
