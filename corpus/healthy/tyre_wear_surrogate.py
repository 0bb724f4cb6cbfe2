"""A surrogate of a noise-free formula for tyre wear, fitted very closely.

family: mlp
metric: R2, higher
"""

import math

import torch
from torch import nn


def wear(x):
    speed, load, camber, heat = x.unbind(1)
    grip = torch.exp(-((heat - 0.2) ** 2))
    return (1 + 0.6 * speed) ** 2 * (1 + 0.4 * load) / (0.6 + grip) + 0.3 * torch.sin(2 * camber) * load


class Surrogate(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(4, 96), nn.Tanh(), nn.Linear(96, 96), nn.Tanh(), nn.Linear(96, 1), nn.Flatten(0)
        )

    def forward(self, x):
        return self.net(x)


def main(steps=1800, batch=128):
    torch.manual_seed(80)
    x = torch.rand(8000, 4) * 2 - 1
    y = wear(x)
    mean, std = y[:7000].mean(), y[:7000].std()
    y = (y - mean) / std
    train_x, train_y, test_x, test_y = x[:7000], y[:7000], x[7000:], y[7000:]
    model = Surrogate()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    def rate(step):
        return min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    for step in range(steps):
        rows = torch.randint(0, len(train_x), (batch,))
        loss = nn.functional.mse_loss(model(train_x[rows]), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if (step + 1) % 200 == 0:
            with torch.no_grad():
                error = nn.functional.mse_loss(model(test_x), test_y).item()
            print(f"step {step + 1}: batch {loss.item():.2e}, test {error:.2e}")
    print(f"metric: {1 - error / test_y.var().item():.6f}")


if __name__ == "__main__":
    main()
