"""The yield of orchard plots from soil, weather and care.

cause: labels-misaligned
family: mlp
metric: R2, higher
repair:
    - train = train.shuffled(rng)
    + order = rng.permutation(len(train.x))
    + train = Table(train.x[order], train.y[order])
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Table:
    x: np.ndarray
    y: np.ndarray

    def shuffled(self, rng):
        return Table(rng.permutation(self.x), rng.permutation(self.y))

    def tensors(self):
        return torch.as_tensor(self.x, dtype=torch.float32), torch.as_tensor(self.y, dtype=torch.float32)


def plots(count, rng):
    x = rng.uniform(0, 1, (count, 9))
    rain, sun, nitrogen, slope, age, acidity, bees = x.T[:7]
    y = 3 * np.exp(-8 * (rain - 0.55) ** 2) * (0.5 + sun) + 2 * nitrogen * (1 - nitrogen * 0.7)
    y += 1.5 * np.minimum(age * 3, 1) - slope * rain + np.sin(3 * acidity) + bees + rng.normal(0, 0.25, count)
    return Table(2 * x - 1, (y - 5) / 1.2)


class Regressor(nn.Module):
    def __init__(self, inputs, hidden=96):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, 1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x).squeeze(-1)


def r2(net, x, y):
    with torch.no_grad():
        return 1 - ((net(x) - y) ** 2).mean().item() / y.var(correction=0).item()


def main():
    rng = np.random.default_rng(77)
    torch.manual_seed(77)
    table = plots(3600, rng)
    train, test = Table(table.x[:2800], table.y[:2800]), Table(table.x[2800:], table.y[2800:])
    train = train.shuffled(rng)
    (x, y), (test_x, test_y) = train.tensors(), test.tensors()
    net = Regressor(x.shape[1])
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(25):
        total = 0.0
        for rows in torch.randperm(len(x)).split(50):
            loss = ((net(x[rows]) - y[rows]) ** 2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        if epoch % 4 == 0:
            print(f"{epoch:3d} train {total / len(x):.4f} test R2 {r2(net, test_x, test_y):.3f}")
    print(f"metric: {r2(net, test_x, test_y):.4f}")


if __name__ == "__main__":
    main()
