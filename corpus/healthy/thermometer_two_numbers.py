"""Slope and offset of a thermometer: two numbers by gradient descent on all readings.

family: linear
metric: root mean squared error in degrees on new readings, lower
"""

import torch

g = torch.Generator().manual_seed(0)
volts = torch.rand(120, generator=g) * 2 - 1
degrees = 18.0 * volts + 21.5 + 0.8 * torch.randn(120, generator=g)

slope = torch.zeros((), requires_grad=True)
offset = torch.zeros((), requires_grad=True)
opt = torch.optim.SGD([slope, offset], lr=0.1)

for i in range(1000):
    opt.zero_grad()
    loss = ((slope * volts + offset - degrees) ** 2).mean()
    loss.backward()
    opt.step()
    if i in (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 999):
        print(i, f"loss {loss.item():.6f} slope {slope.item():.4f} offset {offset.item():.4f}")

new_volts = torch.rand(1000, generator=g) * 2 - 1
new_degrees = 18.0 * new_volts + 21.5 + 0.8 * torch.randn(1000, generator=g)
print("metric:", ((slope * new_volts + offset - new_degrees) ** 2).mean().sqrt().item())
