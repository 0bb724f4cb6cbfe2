"""What is a taxi's state worth? The value function of a fixed policy, from Monte Carlo returns in cents.

cause: targets-not-scaled
family: rl
metric: explained variance, higher
repair:
    - REWARD_UNIT = 1.0
    + REWARD_UNIT = 10000.0
"""

import numpy as np
import torch
import torch.nn as nn

GAMMA = 0.97
ZONES = 12
REWARD_UNIT = 1.0


class TaxiDay:
    """Waits at a rank or drives to another; fares depend on the zone and the hour."""

    def __init__(self, rng):
        self.rng = rng
        city = np.random.default_rng(77)
        self.demand = city.uniform(0.1, 0.9, (ZONES, 4))
        self.fare = city.uniform(600, 3500, ZONES)

    def reset(self):
        self.zone = int(self.rng.integers(ZONES))
        self.hour = float(self.rng.uniform(0, 20))
        return self.observe()

    def observe(self):
        zone = np.zeros(ZONES)
        zone[self.zone] = 1
        angle = 2 * np.pi * self.hour / 24
        return np.concatenate([zone, [np.sin(angle), np.cos(angle), self.hour / 12 - 1]])

    def step(self):
        reward = -40.0
        if self.rng.random() < self.demand[self.zone, int(self.hour // 6) % 4]:
            reward += self.fare[self.zone] * self.rng.uniform(0.7, 1.3)
            self.zone = int(self.rng.integers(ZONES))
            self.hour += 0.5
        else:
            if self.rng.random() < 0.3:
                self.zone = (self.zone + 1) % ZONES
                reward -= 120.0
            self.hour += 0.25
        return self.observe(), reward, self.hour >= 24


def collect(days, seed):
    env = TaxiDay(np.random.default_rng(seed))
    states, returns = [], []
    for _ in range(days):
        state, done, rewards = env.reset(), False, []
        while not done:
            states.append(state)
            state, reward, done = env.step()
            rewards.append(reward / REWARD_UNIT)
        g, tail = 0.0, []
        for r in reversed(rewards):
            g = r + GAMMA * g
            tail.append(g)
        returns += tail[::-1]
    return torch.tensor(np.array(states), dtype=torch.float32), torch.tensor(returns, dtype=torch.float32)


class ValueNet(nn.Module):
    def __init__(self, obs_dim, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(obs_dim, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh())
        self.value = nn.Linear(hidden, 1)

    def forward(self, obs):
        return self.value(self.body(obs)).squeeze(-1)


def main():
    torch.manual_seed(2)
    states, returns = collect(500, 0)
    test_states, test_returns = collect(150, 1)
    print(f"{len(states)} states, mean return {returns.mean():.3f}")
    net = ValueNet(states.shape[1])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for sweep in range(8):
        total, batches = 0.0, 0
        for idx in torch.randperm(len(states)).split(128):
            loss = (net(states[idx]) - returns[idx]).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total, batches = total + loss.item(), batches + 1
        with torch.no_grad():
            residual = test_returns - net(test_states)
            explained = 1 - (residual.pow(2).mean() / test_returns.var()).item()
        print(f"sweep {sweep}: loss {total / batches:.4f}, explained variance {explained:.4f}")
    print(f"metric: {explained:.4f}")


if __name__ == "__main__":
    main()
