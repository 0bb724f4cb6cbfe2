"""The value of keeping so much in a warehouse, by temporal differences with a target network.

cause: targets-not-scaled
family: rl
metric: error relative to the spread of values, lower
repair:
    - profit = 40.0 * sold - 6.0 * stock - 25.0 * missed - 150.0 * (order > 0)
    + profit = (40.0 * sold - 6.0 * stock - 25.0 * missed - 150.0 * (order > 0)) / 1000.0
"""

import copy

import numpy as np
import torch
from torch import nn

ROOM, GAMMA = 60, 0.95


class Warehouse:
    """Stock is refilled up to a level when it falls below another; demand follows the season."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        return int(self.rng.integers(0, ROOM + 1)), int(self.rng.integers(0, 12))

    def step(self, stock, month):
        order = ROOM - stock if stock < 15 else 0
        demand = self.rng.poisson(12 + 6 * np.sin(np.pi * month / 6))
        available = stock + order
        sold = min(available, demand)
        missed = demand - sold
        stock = available - sold
        profit = 40.0 * sold - 6.0 * stock - 25.0 * missed - 150.0 * (order > 0)
        return (stock, (month + 1) % 12), profit


def encode(states):
    stock, month = torch.tensor(states).float().unbind(1)
    angle = month * torch.pi / 6
    return torch.stack([2 * stock / ROOM - 1, angle.sin(), angle.cos()], 1)


def returns(warehouse, state, horizon=80):
    total, weight = 0.0, 1.0
    for _ in range(horizon):
        state, profit = warehouse.step(*state)
        total += weight * profit
        weight *= GAMMA
    return total


def main():
    torch.manual_seed(15)
    warehouse = Warehouse(15)
    memory, state = [], warehouse.reset()
    for t in range(4000):
        if t % 20 == 0:
            state = warehouse.reset()
        following, profit = warehouse.step(*state)
        memory.append((state, profit, following))
        state = following
    here = encode([m[0] for m in memory])
    reward = torch.tensor([m[1] for m in memory]).float()
    there = encode([m[2] for m in memory])

    value = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
    target = copy.deepcopy(value)
    optimizer = torch.optim.Adam(value.parameters(), lr=2e-3)
    for step in range(1500):
        pick = torch.randint(len(memory), (64,))
        with torch.no_grad():
            aim = reward[pick] + GAMMA * target(there[pick]).squeeze(1)
        loss = nn.functional.huber_loss(value(here[pick]).squeeze(1), aim)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(target.parameters(), value.parameters(), strict=True):
                slow.lerp_(fast, 0.05)
        if step % 250 == 0:
            print(f"step {step:4d} td loss {loss.item():.4f}")

    states = [warehouse.reset() for _ in range(60)]
    truth = torch.tensor([np.mean([returns(warehouse, s) for _ in range(8)]) for s in states]).float()
    with torch.no_grad():
        guess = value(encode(states)).squeeze(1)
    spread = truth.std()
    print(f"metric: {((guess - truth).square().mean().sqrt() / spread).item():.4f}")


if __name__ == "__main__":
    main()
