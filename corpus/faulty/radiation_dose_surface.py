"""A dose field over six setting parameters, a regression whose rate falls when progress stops.

cause: learning-rate-decayed-to-zero
family: mlp
metric: mean squared error, lower
repair:
    - scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=1)
    + scheduler = ReduceLROnPlateau(optimizer, mode="min", factor=0.3, patience=4)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau


def simulate(count, rng):
    x = rng.uniform(-1, 1, (count, 6)).astype(np.float32)
    angle, depth, width, energy, shift, filt = x.T
    beam = np.exp(-((shift - 0.4 * np.sin(2 * angle)) ** 2) / (0.4 + 0.2 * width**2))
    decay = np.exp(-(1.2 - 0.6 * energy) * (depth + 1))
    dose = 4 * beam * decay * (1 - 0.3 * filt) + 0.02 * rng.normal(size=count)
    return torch.from_numpy(x), torch.from_numpy(dose.astype(np.float32))[:, None]


class Surrogate(nn.Module):
    def __init__(self, width=128, depth=3):
        super().__init__()
        self.first = nn.Linear(6, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        x = F.gelu(self.first(x))
        for layer in self.hidden:
            x = F.gelu(layer(x))
        return self.last(x)


def main():
    torch.manual_seed(41)
    rng = np.random.default_rng(41)
    x, y = simulate(6400, rng)
    valid_x, valid_y = simulate(1000, rng)
    mean, std = y.mean(), y.std()
    y, valid_y = (y - mean) / std, (valid_y - mean) / std
    net = Surrogate()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    scheduler = ReduceLROnPlateau(optimizer, mode="max", factor=0.1, patience=1)
    for epoch in range(20):
        net.train()
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            loss = F.mse_loss(net(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            valid = F.mse_loss(net(valid_x), valid_y)
        scheduler.step(valid)
        if epoch % 3 == 0:
            print(f"epoch {epoch}: validation {valid.item():.5f}")
    print(f"metric: {valid.item():.6f}")


if __name__ == "__main__":
    main()
