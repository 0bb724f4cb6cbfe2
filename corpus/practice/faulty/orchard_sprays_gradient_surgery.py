"""Scab, mildew and aphids in an orchard from its weather: three tasks whose gradients are reconciled.

cause: missing-zero-grad
family: mlp
metric: mean R², higher
repair:
    - loss.backward(retain_graph=True)
    + for p in self.shared:
    +     p.grad = None
    + loss.backward(retain_graph=True)
"""

import random

import numpy as np
import torch
from torch import nn

TASKS = ("scab", "mildew", "aphids")


def weather(n, seed=12):
    rng = np.random.default_rng(seed)
    rain, warm, wind, dew, sun = rng.normal(size=(5, n))
    x = np.stack([rain, warm, wind, dew, sun, rain * 0.5 + rng.normal(size=n)], 1)
    scab = np.tanh(rain + dew) * (1 + 0.5 * np.cos(warm * 2)) - 0.3 * wind
    mildew = np.sin(1.5 * warm) + 0.7 * dew * (rain < 0) - 0.4 * rain
    aphids = warm * np.exp(-(wind**2)) + 0.5 * np.abs(sun) - 0.3 * rain * sun
    y = np.stack([scab, mildew, aphids], 1) + 0.1 * rng.normal(size=(n, 3))
    y = (y - y.mean(0)) / y.std(0)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class Orchard(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.heads = nn.ModuleDict({task: nn.Linear(width, 1) for task in TASKS})

    def forward(self, x):
        h = self.trunk(x)
        return {task: head(h).squeeze(1) for task, head in self.heads.items()}


class Surgeon:
    """Projects each task's gradient of the trunk off those it conflicts with (Yu et al., 2020)."""

    def __init__(self, shared, optimizer):
        self.shared = list(shared)
        self.optimizer = optimizer

    def gradients(self, losses):
        rows = []
        for loss in losses:
            loss.backward(retain_graph=True)
            rows.append(torch.cat([p.grad.flatten() for p in self.shared]))
        return rows

    def reconcile(self, rows):
        result = []
        for i, row in enumerate(rows):
            row = row.clone()
            others = [other for j, other in enumerate(rows) if j != i]
            random.shuffle(others)
            for other in others:
                dot = torch.dot(row, other)
                if dot < 0:
                    row -= dot / other.dot(other) * other
            result.append(row)
        return torch.stack(result).mean(0)

    def step(self, losses):
        merged = self.reconcile(self.gradients(losses))
        sizes = [p.numel() for p in self.shared]
        for p, piece in zip(self.shared, merged.split(sizes), strict=True):
            p.grad = piece.view_as(p).clone()
        self.optimizer.step()


def main():
    torch.manual_seed(12)
    random.seed(12)
    x, y = weather(2600)
    net = Orchard()
    trunk = torch.optim.SGD(net.trunk.parameters(), lr=0.1, momentum=0.9)
    heads = torch.optim.SGD(net.heads.parameters(), lr=0.05)
    surgeon = Surgeon(net.trunk.parameters(), trunk)
    for epoch in range(20):
        for rows in torch.randperm(2000).split(50):
            heads.zero_grad()
            guess = net(x[rows])
            losses = [((guess[task] - y[rows, k]) ** 2).mean() for k, task in enumerate(TASKS)]
            surgeon.step(losses)
            heads.step()
        if epoch % 4 == 3:
            print(epoch + 1, *(f"{task} {loss.item():.3f}" for task, loss in zip(TASKS, losses, strict=True)))
    with torch.no_grad():
        guess = net(x[2000:])
    truth = y[2000:]
    r2 = [1 - ((guess[t] - truth[:, k]) ** 2).mean() / truth[:, k].var() for k, t in enumerate(TASKS)]
    print(f"metric: {torch.stack(r2).mean().item():.4f}")


main()
