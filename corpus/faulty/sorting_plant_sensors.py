"""Which bin a sorting plant should throw an object into, from its sensors' readings.

cause: not-finite
family: mlp
metric: accuracy, higher
repair:
    - spread = train.std(axis=0)
    + spread = train.std(axis=0)
    + spread[spread == 0] = 1.0
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

BINS = 7
SENSORS = 30


def objects(count, rng):
    bins = rng.integers(0, BINS, count)
    table = np.random.default_rng(8).normal(size=(BINS, 8))
    hidden = table[bins] + rng.normal(0, 0.9, (count, 8))
    mixing = np.random.default_rng(9).normal(size=(8, SENSORS))
    readings = np.tanh(hidden @ mixing / 2) * 40 + 120 + rng.normal(0, 8, (count, SENSORS))
    readings = np.round(readings)
    readings[:, 17] = 255
    readings[:, 24] = np.where(readings[:, 24] > 0, 1, 0)
    return readings.astype(np.float32), bins


def standardised(train, test):
    centre = train.mean(axis=0)
    spread = train.std(axis=0)
    return (train - centre) / spread, (test - centre) / spread


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(SENSORS, 128), nn.Linear(128, 128)])
        self.out = nn.Linear(128, BINS)

    def forward(self, x):
        for layer in self.layers:
            x = F.elu(layer(x))
        return self.out(x)


if __name__ == "__main__":
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    (train_x, train_y), (test_x, test_y) = objects(4000, rng), objects(1000, rng)
    train_x, test_x = standardised(train_x, test_x)
    train_x, test_x = torch.tensor(train_x), torch.tensor(test_x)
    train_y, test_y = torch.tensor(train_y), torch.tensor(test_y)
    sorter = Sorter()
    optimizer = torch.optim.RMSprop(sorter.parameters(), lr=3e-4)
    for epoch in range(14):
        losses = []
        for rows in torch.randperm(len(train_x)).split(64):
            loss = F.cross_entropy(sorter(train_x[rows]), train_y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            accuracy = (sorter(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch:2d} | loss {np.mean(losses):.4f} | accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")
