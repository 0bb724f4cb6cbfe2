"""Behavioural cloning of a driver who keeps, leaves or takes back the lane on a motorway.

family: mlp
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

GAPS = [1, 3, 4, 5, 6]


def situations(n, rng):
    """Gaps and speeds around the car, and what the driver did: 0 keep, 1 left, 2 right; keeping is common."""
    speed = rng.normal(31, 4, n)
    front_gap, front_speed = rng.exponential(60, n), rng.normal(29, 4, n)
    left_front, left_back = rng.exponential(90, n), rng.exponential(60, n)
    right_front, right_back = rng.exponential(120, n), rng.exponential(80, n)
    lane = rng.integers(0, 3, n)
    wish = (speed - front_speed) * np.exp(-front_gap / 70) * 1.3
    left = wish - 1.2 - 2 * np.exp(-left_back / 25) - np.exp(-left_front / 30) - 50 * (lane == 2)
    right = 0.6 - wish - 3.5 * np.exp(-right_front / 60) - 2 * np.exp(-right_back / 20) - 50 * (lane == 0)
    scores = np.column_stack([np.zeros(n) + 1.2, left, right]) * 1.6 + rng.gumbel(size=(n, 3)) * 0.5
    x = np.column_stack(
        [speed, front_gap, front_speed, left_front, left_back, right_front, right_back, lane == 0, lane == 2]
    )
    return x.astype(np.float32), scores.argmax(1)


if __name__ == "__main__":
    rng = np.random.default_rng(33)
    torch.manual_seed(33)
    x, y = situations(6000, rng)
    x_test, y_test = situations(2000, rng)
    for table in (x, x_test):
        table[:, GAPS] = np.log1p(table[:, GAPS])
    mean, std = x.mean(0), x.std(0)
    x, x_test = torch.tensor((x - mean) / std), torch.tensor((x_test - mean) / std)
    y, y_test = torch.tensor(y), torch.tensor(y_test)
    print("shares of keep, left, right:", (torch.bincount(y) / len(y)).tolist())

    policy = nn.Sequential(nn.Linear(9, 64), nn.ELU(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 3))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1.5e-3)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    for epoch in range(12):
        total = 0.0
        for state, action in loader:
            loss = nn.functional.cross_entropy(policy(state), action)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            accuracy = (policy(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch}: nll {total / len(loader):.4f}, agrees with the driver {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
