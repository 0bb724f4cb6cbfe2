"""A GRU that forecasts the monthly number of passengers of many small lines.

cause: targets-not-scaled
family: rnn
metric: mean absolute percentage error, lower
repair:
    - target = series[:, -1]
    + target = (series[:, -1] - SHIFT) / SPREAD
    - predicted = model(make_inputs(test))
    + predicted = model(make_inputs(test)) * SPREAD + SHIFT
"""

import math

import torch
from torch import nn

MONTHS = 24
SHIFT, SPREAD = 4200.0, 1600.0


def lines(n, generator):
    start = torch.rand(n, 1, generator=generator) * 3000 + 1800
    growth = 1 + 0.012 * torch.rand(n, 1, generator=generator)
    season = 0.05 + 0.25 * torch.rand(n, 1, generator=generator)
    phase = torch.rand(n, 1, generator=generator) * 2 * math.pi
    t = torch.arange(MONTHS + 1.0)
    wave = 1 + season * torch.sin(2 * math.pi * t / 12 + phase)
    return start * growth**t * wave * (1 + 0.01 * torch.randn(n, MONTHS + 1, generator=generator))


def make_inputs(series):
    return ((series[:, :-1] - SHIFT) / SPREAD).unsqueeze(-1)


class Forecaster(nn.Module):
    def __init__(self, units=40):
        super().__init__()
        self.gru = nn.GRU(1, units, batch_first=True)
        self.out = nn.Linear(units, 1)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.out(y[:, -1]).flatten()


generator = torch.Generator().manual_seed(100)
torch.manual_seed(100)
train, test = lines(800, generator), lines(200, generator)
model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15)

for epoch in range(15):
    for rows in torch.randperm(len(train)).split(32):
        series = train[rows]
        target = series[:, -1]
        loss = nn.functional.smooth_l1_loss(model(make_inputs(series)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    print(f"epoch {epoch + 1:2d}  loss {loss.item():.4f}")

with torch.no_grad():
    predicted = model(make_inputs(test))
    actual = test[:, -1]
    print(f"metric: {((predicted - actual).abs() / actual).mean().item():.4f}")
