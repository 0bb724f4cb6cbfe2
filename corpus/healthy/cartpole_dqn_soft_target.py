"""Balancing a pole on a cart by double Q-learning with a slowly following target network.

family: rl
metric: steps_balanced, higher
"""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LIMIT = 200


class CartPoles:
    """Many carts at once; the equations of Barto, Sutton and Anderson (1983)."""

    def __init__(self, count, seed):
        self.rng = np.random.default_rng(seed)
        self.state = np.zeros((count, 4))
        self.age = np.zeros(count, dtype=int)
        self.reset(np.ones(count, dtype=bool))

    def reset(self, which):
        self.state[which] = self.rng.uniform(-0.05, 0.05, (which.sum(), 4))
        self.age[which] = 0

    def step(self, action):
        x, v, angle, spin = self.state.T
        force = np.where(action == 1, 10.0, -10.0)
        sin, cos = np.sin(angle), np.cos(angle)
        temp = (force + 0.05 * spin**2 * sin) / 1.1
        spin_acc = (9.8 * sin - cos * temp) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        acc = temp - 0.05 * spin_acc * cos / 1.1
        self.state = np.stack([x + 0.02 * v, v + 0.02 * acc, angle + 0.02 * spin, spin + 0.02 * spin_acc], 1)
        self.age += 1
        fallen = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 12 * math.pi / 180)
        return self.state.copy(), fallen, self.age >= LIMIT


def reward(state):
    """Upright and near the middle is best."""
    return 1 - 0.5 * np.abs(state[:, 0]) / 2.4 - 0.5 * np.abs(state[:, 2]) / 0.21


class Memory:
    def __init__(self, size):
        self.data = np.zeros((size, 11), dtype=np.float32)
        self.size, self.count = size, 0

    def add(self, state, action, following, gain, fallen):
        rows = np.concatenate([state, action[:, None], following, gain[:, None], fallen[:, None]], 1)
        self.data[(self.count + np.arange(len(rows))) % self.size] = rows
        self.count += len(rows)

    def sample(self, count, rng):
        rows = torch.from_numpy(self.data[rng.integers(0, min(self.count, self.size), count)])
        return rows[:, :4], rows[:, 4].long(), rows[:, 5:9], rows[:, 9], rows[:, 10]


SCALE = torch.tensor([1.0, 1.0, 0.15, 1.0])


class Q(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))

    def forward(self, state):
        return self.net(state / SCALE)


@torch.no_grad()
def soft_update(target, online, tau=0.02):
    for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
        slow.lerp_(fast, tau)


@torch.no_grad()
def play(online, count=30):
    carts = CartPoles(count, 999)
    alive = np.ones(count, dtype=bool)
    lengths = np.full(count, LIMIT)
    for t in range(LIMIT):
        action = online(torch.tensor(carts.state, dtype=torch.float32)).argmax(1).numpy()
        _, fallen, _ = carts.step(action)
        lengths[alive & fallen] = t + 1
        alive &= ~fallen
    return lengths.mean()


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    carts, memory = CartPoles(8, 0), Memory(40000)
    online = Q()
    target = copy.deepcopy(online).requires_grad_(False)
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=2800)
    gamma = 0.97
    for step in range(3000):
        state = carts.state.copy()
        with torch.no_grad():
            action = online(torch.tensor(state, dtype=torch.float32)).argmax(1).numpy()
        epsilon = max(0.05, 1 - step / 1000)
        explore = rng.random(8) < epsilon
        action[explore] = rng.integers(0, 2, explore.sum())
        following, fallen, late = carts.step(action)
        memory.add(state, action, following, reward(following), fallen)
        carts.reset(fallen | late)
        if step < 100:
            continue
        s, a, s2, r, end = memory.sample(64, rng)
        with torch.no_grad():
            best = online(s2).argmax(1, keepdim=True)
            value = r + gamma * (1 - end) * target(s2).gather(1, best).squeeze(1)
        loss = F.smooth_l1_loss(online(s).gather(1, a[:, None]).squeeze(1), value)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(online.parameters(), 10.0)
        optimizer.step()
        scheduler.step()
        soft_update(target, online)
        if step % 500 == 0:
            print(f"step {step} loss {loss.item():.4f} value {value.mean():.2f} balanced {play(online):.1f}")
    print(f"metric: {play(online):.1f}")


if __name__ == "__main__":
    main()
