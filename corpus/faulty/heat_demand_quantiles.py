"""Quantiles of the heat demand of a district, an hour ahead, by a network with pinball loss.

cause: learning-rate-too-high
family: mlp
metric: pinball loss, lower
repair:
    - "optimizer": {"lr": 1.5e-1, "alpha": 0.9},
    + "optimizer": {"lr": 1e-3, "alpha": 0.9},
"""

import math

import torch
from torch import nn

CONFIG = {
    "hidden": [64, 64],
    "optimizer": {"lr": 1.5e-1, "alpha": 0.9},
    "warmup": 50,
    "steps": 1500,
    "batch": 64,
}
QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def hours(count, generator):
    t = torch.arange(count).float()
    season = -torch.cos(2 * math.pi * t / 8760)
    outside = 9 + 11 * season + 4 * torch.sin(2 * math.pi * (t - 9) / 24)
    outside = outside + 2 * torch.randn(count, generator=generator)
    wind = torch.rand(count, generator=generator) * 12
    weekend = ((t // 24) % 7 >= 5).float()
    base = torch.relu(17 - outside) * (1 + 0.03 * wind) + 3 * torch.exp(-(((t % 24) - 7) ** 2) / 6)
    spread = 0.4 + 0.08 * torch.relu(17 - outside)
    demand = base * (1 - 0.15 * weekend) + spread * torch.randn(count, generator=generator)
    clock = 2 * math.pi * (t % 24) / 24
    features = torch.stack([outside, wind, weekend, clock.sin(), clock.cos(), season], 1)
    return features, demand


def network(widths, inputs, outputs):
    layers = []
    for width in widths:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


def pinball(predicted, target):
    error = target[:, None] - predicted
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


def batches(features, demand, size):
    while True:
        pick = torch.randint(len(demand), (size,))
        yield features[pick], demand[pick]


torch.manual_seed(11)
features, demand = hours(8760, torch.Generator().manual_seed(5))
order = torch.randperm(len(demand))
train, test = order[:7000], order[7000:]
features = (features - features[train].mean(0)) / features[train].std(0)
demand = (demand - demand[train].mean()) / demand[train].std()

model = network(CONFIG["hidden"], features.shape[1], len(QUANTILES))
optimizer = torch.optim.RMSprop(model.parameters(), **CONFIG["optimizer"])
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / CONFIG["warmup"]))
stream = batches(features[train], demand[train], CONFIG["batch"])
running = None
for step in range(CONFIG["steps"]):
    x, y = next(stream)
    loss = pinball(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
    if step % 250 == 249:
        print(f"step {step + 1:5d}  pinball {running:.4f}")

with torch.no_grad():
    print(f"metric: {pinball(model(features[test]), demand[test]).item():.4f}")
