"""The acidity of rivers from their catchment: weight-normalised layers and Adamax.

family: mlp
metric: R², higher
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

torch.manual_seed(39)


def rivers(n):
    lime = torch.rand(n)
    peat = torch.rand(n) * (1 - lime)
    rain = torch.exp(7 + 0.3 * torch.randn(n))
    forest, farms = torch.rand(n), torch.rand(n)
    height = 600 * torch.rand(n) ** 2
    ph = (
        6.2
        + 1.6 * lime / (lime + 0.2)
        - 1.5 * peat * torch.sqrt(rain / 1100)
        + 0.4 * farms
        - 0.5 * forest * peat
    )
    ph = ph - 0.0004 * height + 0.2 * torch.randn(n)
    x = torch.stack([lime, peat, rain / 300 - 3.8, forest, farms, height / 200 - 1], 1)
    return x, ph


def build(widths):
    layers = []
    for inputs, outputs in pairwise(widths[:-1]):
        layers += [weight_norm(nn.Linear(inputs, outputs)), nn.Mish()]
    return nn.Sequential(*layers, weight_norm(nn.Linear(*widths[-2:])))


x, ph = rivers(3000)
x_test, ph_test = rivers(1000)
mean, std = ph.mean(), ph.std()
model = build([6, 40, 40, 1])
optimizer = torch.optim.Adamax(model.parameters(), lr=5e-3)
steps = 0
for epoch in range(16):
    epoch_loss = 0.0
    for rows in torch.randperm(3000).chunk(50):
        optimizer.zero_grad()
        loss = (model(x[rows]).squeeze(-1) - (ph[rows] - mean) / std).pow(2).mean()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 50
    with torch.no_grad():
        left = model(x_test).squeeze(-1) * std + mean - ph_test
    r2 = 1 - (left.square().mean() / ph_test.var()).item()
    print(f"epoch {epoch}: loss {epoch_loss:.4f}, test R² {r2:.4f}")

print(f"metric: {r2:.4f}")
