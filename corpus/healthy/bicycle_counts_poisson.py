"""Hourly bicycle counts by Poisson regression on all hours at once, left running after it has settled.

family: linear
metric: share of held-out deviance explained, higher
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(9)


def features(hour, warmth, rain, weekend):
    daily = [f(2 * np.pi * k * hour / 24) for k in (1, 2, 3) for f in (np.sin, np.cos)]
    return np.stack([*daily, warmth, warmth**2, rain, weekend, weekend * daily[0], weekend * daily[1]], 1)


n = 2400
hour, warmth = rng.integers(0, 24, n), rng.standard_normal(n)
rain, weekend = rng.random(n) < 0.2, rng.random(n) < 2 / 7
x = features(hour, warmth, rain.astype(float), weekend.astype(float))
truth = np.array([-0.6, -0.9, 0.3, -0.4, 0.1, 0.1, 0.25, -0.1, -0.6, -0.2, 0.3, 0.4])
counts = rng.poisson(np.exp(2.2 + x @ truth))

x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
y = torch.tensor(counts, dtype=torch.float32)
cut = 1800
model = nn.Linear(x.shape[1], 1)
nn.init.zeros_(model.weight)
nn.init.constant_(model.bias, float(y[:cut].mean().log()))
criterion = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9, nesterov=True)

for iteration in range(1200):
    optimizer.zero_grad()
    loss = criterion(model(x[:cut]).squeeze(1), y[:cut])
    loss.backward()
    optimizer.step()
    if iteration % 100 == 0:
        size = model.weight.grad.norm().item()
        print(f"iteration {iteration} loss {loss.item():.6f} gradient {size:.2e}")


def deviance(rate):
    held = y[cut:]
    return 2 * (torch.xlogy(held, held / rate) - (held - rate)).sum().item()


with torch.no_grad():
    fitted = deviance(model(x[cut:]).squeeze(1).exp())
print(f"metric: {1 - fitted / deviance(y[:cut].mean()):.4f}")
