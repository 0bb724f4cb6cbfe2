"""The density of measurements of sea shells, a masked autoregressive flow.

family: flow
metric: negative log-likelihood, lower
"""

import math

import numpy as np
import torch
from torch import nn

COLUMNS = 5


def shells(count, seed):
    rng = np.random.default_rng(seed)
    species = rng.integers(0, 3, count)
    length = rng.lognormal(np.array([0.5, 0.8, 1.1])[species], 0.25)
    width = 0.6 * length * rng.lognormal(0.1 * species, 0.08)
    height = 0.3 * length**1.2 * rng.lognormal(0, 0.1, count)
    weight = 0.2 * length * width * height * rng.lognormal(0, 0.15, count)
    rings = 4 + 6 * np.log(length) + rng.gamma(2, 1, count)
    table = np.column_stack([length, width, height, np.log(weight), rings])
    return torch.tensor(table, dtype=torch.float32)


class MaskedLinear(nn.Linear):
    def __init__(self, mask):
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float())

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        inputs = torch.arange(COLUMNS)
        degrees = torch.arange(hidden) % (COLUMNS - 1)
        self.net = nn.Sequential(
            MaskedLinear(degrees[:, None] >= inputs),
            nn.ReLU(),
            MaskedLinear(degrees[:, None] >= degrees),
            nn.ReLU(),
            MaskedLinear(inputs.repeat(2)[:, None] > degrees),
        )

    def forward(self, x):
        shift, log_scale = self.net(x).chunk(2, 1)
        log_scale = 2 * torch.tanh(log_scale / 2)
        return (x - shift) * (-log_scale).exp(), -log_scale.sum(1)


class Flow(nn.Module):
    def __init__(self, layers=5, hidden=48):
        super().__init__()
        self.layers = nn.ModuleList(MADE(hidden) for _ in range(layers))

    def log_prob(self, x):
        total = torch.zeros(len(x))
        for layer in self.layers:
            x, volume = layer(x)
            total = total + volume
            x = x.flip(1)
        return total - 0.5 * (x**2).sum(1) - 0.5 * COLUMNS * math.log(2 * math.pi)


def main():
    torch.manual_seed(58)
    train, test = shells(6000, 1), shells(1500, 2)
    mean, std = train.mean(0), train.std(0)
    train, test = (train - mean) / std, (test - mean) / std
    flow = Flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.4)
    for epoch in range(16):
        total = 0.0
        for rows in torch.randperm(len(train)).split(100):
            loss = -flow.log_prob(train[rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
            optimizer.step()
            total += loss.item() * len(rows) / len(train)
        scheduler.step()
        with torch.no_grad():
            nll = -flow.log_prob(test).mean().item()
        print(f"epoch {epoch + 1:2d}: train {total:.4f}, test {nll:.4f}")
    print(f"metric: {nll:.4f}")


if __name__ == "__main__":
    main()
