"""Annual rain over a mountain from a few new gauges and many old ones that freeze, trusted by their variance.

cause: loss-broadcast
family: mlp
metric: mean squared error, lower
repair:
    - weighted = trust * squared
    + weighted = trust.unsqueeze(1) * squared
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def mountain(n, rng):
    east, north = rng.uniform(-1, 1, n), rng.uniform(-1, 1, n)
    height = np.exp(-3 * (east**2 + north**2)) + 0.5 * np.exp(-8 * ((east - 0.6) ** 2 + (north + 0.4) ** 2))
    rain = 0.8 + 1.1 * height * (1 - 0.6 * east) + 0.3 * north
    return np.column_stack([east, north, height]), rain, height


rng = np.random.default_rng(19)
place_new, rain_new, _ = mountain(140, rng)
place_old, rain_old, height_old = mountain(560, rng)
# what an old gauge loses to snow and wind grows with height
caught = rain_old * (1 - 0.55 * height_old.clip(0, 1)) + rng.normal(0, 0.25, 560)
measured = np.concatenate([rain_new + rng.normal(0, 0.04, 140), caught])
sigma = np.concatenate([np.full(140, 0.05), 0.25 + 0.8 * height_old])
place_test, rain_test, _ = mountain(800, rng)

x = torch.tensor(np.concatenate([place_new, place_old]), dtype=torch.float32)
y = torch.tensor(measured, dtype=torch.float32).view(-1, 1)
trust = torch.tensor(1 / sigma**2, dtype=torch.float32)
trust = trust / trust.mean()
x_test = torch.tensor(place_test, dtype=torch.float32)
y_test = torch.tensor(rain_test, dtype=torch.float32).view(-1, 1)

torch.manual_seed(19)
net = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.LBFGS(net.parameters(), lr=1.0, max_iter=12, history_size=20)


def closure():
    optimizer.zero_grad()
    squared = F.mse_loss(net(x), y, reduction="none")
    weighted = trust * squared
    ridge = sum(p.pow(2).sum() for p in net.parameters())
    loss = weighted.mean() + 2e-4 * ridge
    loss.backward()
    return loss


for outer in range(30):
    loss = optimizer.step(closure)
    if outer % 5 == 4:
        with torch.no_grad():
            error = F.mse_loss(net(x_test), y_test).item()
        print(f"{outer + 1:2d}: objective {loss.item():.5f}, test error {error:.5f}")

print(f"metric: {error:.5f}")
