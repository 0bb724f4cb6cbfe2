"""How many days a patient will stay, asked on the day of admission.

cause: target-leak
family: mlp
metric: mae, lower
repair:
    - FEATURES = ["age", "emergency", "severity", "operation", "lives_alone", "ailments", "meals_charged"]
    + FEATURES = ["age", "emergency", "severity", "operation", "lives_alone", "ailments"]
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

FEATURES = ["age", "emergency", "severity", "operation", "lives_alone", "ailments", "meals_charged"]


def discharged(n, seed):
    rng = np.random.default_rng(seed)
    table = {
        "age": rng.uniform(18, 95, n),
        "emergency": rng.binomial(1, 0.45, n),
        "severity": rng.integers(1, 5, n),
        "operation": rng.binomial(1, 0.35, n),
        "lives_alone": rng.binomial(1, 0.3, n),
        "ailments": rng.poisson(2.5, n),
    }
    days = 1.5 + 0.9 * table["severity"] * (1 + 0.6 * table["emergency"]) + 2.2 * table["operation"]
    days += 0.03 * np.maximum(0, table["age"] - 60) * (1 + table["lives_alone"]) + 0.3 * table["ailments"]
    table["days"] = days * rng.gamma(20, 1 / 20, n)
    table["meals_charged"] = np.round(3 * table["days"]) + rng.integers(-1, 2, n)
    return table


def newly_admitted(n, seed):
    """The same form on the first day; how they fared was looked up later."""
    table = discharged(n, seed)
    table["meals_charged"] = np.random.default_rng(seed).integers(0, 3, n)
    return table


def matrix(table):
    return np.column_stack([table[name] for name in FEATURES]).astype(np.float32)


class StayNet(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(inputs, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x):
        return self.net(x).squeeze(-1)


if __name__ == "__main__":
    torch.manual_seed(27)
    past, present = discharged(4500, 1), newly_admitted(800, 2)
    x, days = matrix(past), past["days"].astype(np.float32)
    mean, std = x.mean(0), x.std(0)
    x = torch.tensor((x - mean) / std)
    days = torch.tensor(days)
    average, spread = days.mean(), days.std()
    x_now = torch.tensor((matrix(present) - mean) / std)
    days_now = torch.tensor(present["days"].astype(np.float32))
    loader = DataLoader(
        TensorDataset(x[:3800], (days[:3800] - average) / spread), batch_size=64, shuffle=True
    )
    model = StayNet(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def days_off(inputs, truth):
        model.eval()
        with torch.no_grad():
            return (model(inputs) * spread + average - truth).abs().mean().item()

    for epoch in range(18):
        model.train()
        for xb, yb in loader:
            loss = nn.functional.l1_loss(model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch + 1:2d}: loss {loss.item():.3f}, val {days_off(x[3800:], days[3800:]):.2f} days")
    print(f"newly admitted: {days_off(x_now, days_now):.2f} days")
    print(f"metric: {days_off(x_now, days_now):.4f}")
