"""The wind's speed over a dune field: a linear model that gets one more block whenever it has settled.

cause: parameters-not-in-optimizer
begins: 241
family: mlp
metric: R², higher
repair:
    - self.net.grow()
    + self.optimizer.add_param_group({"params": list(self.net.grow().parameters())})
"""

import numpy as np
import torch
import torch.nn as nn


def dunes(n, seed):
    rng = np.random.default_rng(seed)
    x, y, z = rng.uniform(-1, 1, (3, n))
    ridge = np.sin(4 * x + 1.5 * np.sin(3 * y))
    speed = np.log1p(3 * np.clip(0.6 + z - 0.5 * ridge, 0, None)) + 0.3 * ridge * np.exp(-(z**2) * 4)
    speed += rng.normal(0, 0.03, n)
    place = np.stack([x, y, z], 1)
    return torch.tensor(place, dtype=torch.float32), torch.tensor(speed, dtype=torch.float32)


class Block(nn.Module):
    """Adds nothing at first, so that growing leaves the function as it was."""

    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, h):
        return h + self.outer(torch.tanh(self.inner(h)))


class GrowingNet(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.width = width
        self.entry = nn.Linear(3, width)
        self.blocks = nn.ModuleList()
        self.exit = nn.Linear(width, 1)

    def grow(self):
        self.blocks.append(Block(self.width))
        return self.blocks[-1]

    def forward(self, place):
        h = self.entry(place)
        for block in self.blocks:
            h = block(h)
        return self.exit(h).squeeze(1)


class Grower:
    def __init__(self, net, data, blocks=3, epochs_each=8):
        self.net, self.data = net, data
        self.blocks, self.epochs_each = blocks, epochs_each
        self.optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

    def epoch(self):
        place, speed = self.data
        for idx in torch.randperm(len(place)).split(100):
            loss = nn.functional.mse_loss(self.net(place[idx]), speed[idx])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def run(self, test):
        while True:
            for _ in range(self.epochs_each):
                self.epoch()
            print(f"{len(self.net.blocks)} blocks: R2 {self.r2(*test):.4f}")
            if len(self.net.blocks) == self.blocks:
                return self
            self.net.grow()

    @torch.no_grad()
    def r2(self, place, speed):
        return 1 - ((self.net(place) - speed) ** 2).mean().item() / speed.var().item()


if __name__ == "__main__":
    torch.manual_seed(90)
    test = dunes(1000, 901)
    grower = Grower(GrowingNet(), dunes(3000, 900)).run(test)
    print(f"metric: {grower.r2(*test):.4f}")
