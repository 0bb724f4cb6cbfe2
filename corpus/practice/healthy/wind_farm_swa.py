"""The power of a wind farm from a weather forecast; the weights of the last epochs are averaged (SWA).

family: mlp
metric: R², higher
"""

import math

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(91)


def hours(n):
    wind = 9 * (-torch.log(torch.rand(n).clamp(min=1e-6))) ** 0.5
    direction = 2 * math.pi * torch.rand(n)
    air = 1.2 + 0.04 * torch.randn(n)
    gust = wind * (1.3 + 0.15 * torch.randn(n))
    wake = 1 - 0.25 * torch.exp(-((torch.cos(direction - 1.0) - 1) ** 2) / 0.05)
    true_wind = (wind + 0.7 * torch.randn(n)) * wake
    power = (air / 1.2) * torch.sigmoid((true_wind - 9) * 0.75) - 0.6 * torch.sigmoid((gust - 26) * 0.8)
    x = torch.stack([wind / 4 - 2, direction.sin(), direction.cos(), (air - 1.2) / 0.04, gust / 6 - 2], 1)
    return x, (power.clamp(min=0) - 0.4)[:, None]


train, (x_test, y_test) = TensorDataset(*hours(4000)), hours(1500)
loader = DataLoader(train, batch_size=80, shuffle=True)
model = nn.Sequential(
    nn.Linear(5, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.BatchNorm1d(64),
    nn.ReLU(),
    nn.Linear(64, 1),
)
averaged = AveragedModel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
swa_scheduler = SWALR(optimizer, swa_lr=0.03, anneal_epochs=3)
loss_fn = nn.MSELoss()

for epoch in range(20):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch >= 12:
        averaged.update_parameters(model)
        swa_scheduler.step()
    model.eval()
    with torch.no_grad():
        r2 = 1 - loss_fn(model(x_test), y_test).item() / y_test.var().item()
    print(f"epoch {epoch + 1}: loss {total / len(loader):.5f}, R² {r2:.4f}")

update_bn(loader, averaged)
averaged.eval()
with torch.no_grad():
    r2 = 1 - loss_fn(averaged(x_test), y_test).item() / y_test.var().item()
print(f"metric: {r2:.4f}")
