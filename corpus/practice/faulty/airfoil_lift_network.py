"""Lift of an aerofoil section from its shape and angle of attack, a surrogate for panel-method runs.

cause: optimizer-recreated
family: mlp
metric: rmse, lower
repair:
    - for epoch in range(EPOCHS):
    - # halve the learning rate every 500 epochs
    - optimiser = torch.optim.Adam(net.parameters(), lr=4e-3 * 0.5 ** (epoch // 500))
    + optimiser = torch.optim.Adam(net.parameters(), lr=4e-3)
    + for epoch in range(EPOCHS):
    +     # halve the learning rate every 500 epochs
    +     optimiser.param_groups[0]["lr"] = 4e-3 * 0.5 ** (epoch // 500)
"""

import math

import torch
import torch.nn as nn

EPOCHS = 1500


def lift_coefficient(camber, position, thickness, alpha, reynolds):
    """Thin-aerofoil theory with a smooth stall that moves with thickness and Reynolds number."""
    theta = torch.arccos(1 - 2 * position)
    zero_lift = -camber * (2.2 + 1.4 * torch.cos(theta))
    slope = 2 * math.pi * (1 + 0.77 * thickness)
    attached = slope * (alpha - zero_lift)
    stall = 0.17 + 0.4 * thickness + 0.02 * reynolds
    separated = torch.sigmoid((alpha - stall) / 0.02)
    return attached * (1 - separated) + separated * 1.1 * torch.sin(2 * alpha)


def sample(n, generator):
    u = torch.rand(n, 5, generator=generator)
    camber = 0.06 * u[:, 0]
    position = 0.2 + 0.4 * u[:, 1]
    thickness = 0.06 + 0.14 * u[:, 2]
    alpha = (-6 + 26 * u[:, 3]) * math.pi / 180
    reynolds = 2 * u[:, 4] - 1
    return 2 * u - 1, lift_coefficient(camber, position, thickness, alpha, reynolds).unsqueeze(1)


generator = torch.Generator().manual_seed(1)
x_train, y_train = sample(800, generator)
x_test, y_test = sample(1000, generator)

torch.manual_seed(1)
net = nn.Sequential(
    nn.Linear(5, 64),
    nn.SiLU(),
    nn.Linear(64, 64),
    nn.SiLU(),
    nn.Linear(64, 64),
    nn.SiLU(),
    nn.Linear(64, 1),
)
criterion = nn.MSELoss()

for epoch in range(EPOCHS):
    # halve the learning rate every 500 epochs
    optimiser = torch.optim.Adam(net.parameters(), lr=4e-3 * 0.5 ** (epoch // 500))
    loss = criterion(net(x_train), y_train)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    if (epoch + 1) % 250 == 0:
        with torch.no_grad():
            test = criterion(net(x_test), y_test).sqrt()
        print(f"epoch {epoch + 1:5d}  train rmse {loss.sqrt().item():.4f}  test rmse {test.item():.4f}")

with torch.no_grad():
    rmse = criterion(net(x_test), y_test).sqrt().item()
print(f"metric: {rmse:.5f}")
