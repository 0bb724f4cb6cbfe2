"""The torque of a torsion spring over its angle, measured on a bench; eight tanh units are enough.

family: mlp
metric: root mean squared error in newton metres, lower
"""

import numpy as np
import torch

rng = np.random.default_rng(64)
torch.manual_seed(64)

# one sweep up and one down the bench; a soft stop at both ends
angle = np.concatenate([np.linspace(-90, 90, 180), np.linspace(90, -90, 180)])
torque = 0.012 * angle + 0.35 * np.tanh(angle / 25) + 0.4 * (angle / 90) ** 3
torque += rng.normal(0, 0.04, angle.shape)

x = torch.tensor(angle / 52.0, dtype=torch.float32).unsqueeze(1)
scale = torque.std()
y = torch.tensor(torque / scale, dtype=torch.float32).unsqueeze(1)
held_out = torch.arange(len(x)) % 5 == 2
x_train, y_train, x_test, y_test = x[~held_out], y[~held_out], x[held_out], y[held_out]

net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1000, gamma=0.3)

for step in range(2000):
    loss = torch.mean((net(x_train) - y_train) ** 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 250 == 0:
        print(f"step {step:5d} mse {loss.item():.6f}")

with torch.no_grad():
    rmse = torch.mean((net(x_test) - y_test) ** 2).sqrt().item() * scale
print(f"{sum(p.numel() for p in net.parameters())} parameters")
print(f"metric: {rmse:.5f}")
