"""The power of wind turbines from weather readings, trained as the readings come in.

cause: batch-too-small
also: learning-rate-too-high
family: mlp
metric: R2, higher
repair:
    - BATCH = 1
    + BATCH = 32
"""

import torch
from torch import nn

BATCH = 1
READINGS = 2500
EPOCHS = 3


def readings(count, generator):
    wind = 12 * torch.rand(count, 1, generator=generator) + 2
    gust = wind * (1 + 0.3 * torch.rand(count, 1, generator=generator))
    rest = torch.randn(count, 6, generator=generator)
    cold, ice, angle = rest[:, :1], rest[:, 1:2], rest[:, 2:3]
    power = 2.0 * torch.sigmoid(1.1 * (wind - 8)) * (1 - 0.1 * cold) - 0.25 * (ice > 1) * wind / 8
    power = power - 0.1 * angle**2 + 0.05 * (gust - wind)
    power = power + 0.4 * torch.randn(count, 1, generator=generator)
    x = torch.cat([(wind - 8) / 3.5, (gust - 9) / 4, rest], dim=1)
    return x, power


def score(net, x, y):
    with torch.no_grad():
        return 1 - ((net(x) - y).pow(2).mean() / y.var()).item()


torch.manual_seed(28)
generator = torch.Generator().manual_seed(28)
x, y = readings(READINGS, generator)
test_x, test_y = readings(1000, generator)
net = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-2)

done = 0
for epoch in range(EPOCHS):
    order = torch.randperm(READINGS, generator=generator)
    total = 0.0
    for start in range(0, READINGS, BATCH):
        rows = order[start : start + BATCH]
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
        done += 1
    print(
        f"epoch {epoch + 1} after {done} updates: {total / READINGS:.4f}, R2 {score(net, test_x, test_y):.3f}"
    )

print(f"metric: {score(net, test_x, test_y):.4f}")
