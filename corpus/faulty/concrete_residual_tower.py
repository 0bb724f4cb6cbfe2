"""A tower of residual blocks that predicts the strength of generated concrete mixes.

cause: exploding-gradients
also: poor-initial-values
family: residual mlp
metric: mean absolute error, lower
repair:
    - self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
    + self.blocks = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), Block(width)) for _ in range(depth))
    - h = h + block(h)
    + h = h + block(h) / len(self.blocks) ** 0.5
"""

import numpy as np
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        nn.init.kaiming_normal_(self.up.weight)
        nn.init.kaiming_normal_(self.down.weight, nonlinearity="linear")

    def forward(self, h):
        return self.down(torch.relu(self.up(h)))


class Tower(nn.Module):
    def __init__(self, features, width=32, depth=20):
        super().__init__()
        self.inlet = nn.Linear(features, width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.outlet = nn.Linear(width, 1)

    def forward(self, x):
        h = self.inlet(x)
        for block in self.blocks:
            h = h + block(h)
        return self.outlet(h).squeeze(1)


def mixes(n, rng):
    x = rng.uniform(0, 1, (n, 7))
    cement, slag, ash, water, plasticiser, aggregate, age = x.T
    strength = 2.0 * cement + slag - 1.5 * water / (0.4 + cement) + 0.6 * np.log1p(9 * age)
    strength += 0.8 * plasticiser * ash - 0.5 * (aggregate - 0.5) ** 2 + rng.normal(0, 0.05, n)
    return x, strength


def main():
    torch.manual_seed(4)
    rng = np.random.default_rng(4)
    x, y = mixes(1500, rng)
    x = (x - x.mean(0)) / x.std(0)
    y = (y - y.mean()) / y.std()
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]

    model = Tower(7)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(16):
        perm = torch.randperm(len(x_train))
        losses = []
        for i in range(0, len(perm), 60):
            rows = perm[i : i + 60]
            loss = nn.functional.mse_loss(model(x_train[rows]), y_train[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            mae = (model(x_test) - y_test).abs().mean().item()
        print(f"epoch {epoch + 1:2d}: mse {np.mean(losses):.4f}, test mae {mae:.4f}")
    print(f"metric: {mae:.4f}")


if __name__ == "__main__":
    main()
