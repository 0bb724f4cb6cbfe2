"""Restocking a vending machine by advantage actor-critic with an entropy bonus.

family: rl
metric: mean profit per day of the learned policy relative to the best fixed reorder level, higher
"""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical

ORDERS = [0, 10, 20, 30]
CAPACITY, DAYS, ENVS = 40, 400, 16


class Machines:
    """A batch of machines: demand with a weekly rhythm, a fee for each visit, goods that spoil."""

    def __init__(self, n, seed):
        self.n, self.rng = n, np.random.default_rng(seed)
        self.stock = self.rng.integers(0, CAPACITY, n).astype(float)
        self.day = self.rng.integers(0, 7, n)

    def observe(self):
        week = 2 * np.pi * self.day / 7
        parts = [self.stock / CAPACITY, np.cos(week), np.sin(week), (self.day >= 5).astype(float)]
        return torch.tensor(np.stack(parts, 1), dtype=torch.float32)

    def step(self, order):
        filled = np.minimum(order, CAPACITY - self.stock)
        self.stock += filled
        demand = self.rng.poisson(np.where(self.day >= 5, 3.0, 11.0))
        sold = np.minimum(demand, self.stock)
        self.stock -= sold
        spoiled = self.rng.binomial(self.stock.astype(int), 0.05)
        self.stock -= spoiled
        self.day = (self.day + 1) % 7
        return 1.5 * sold - 0.8 * filled - 4.0 * (filled > 0) - 0.5 * (demand - sold)


def run(policy, seed=99, days=140):
    env, total = Machines(64, seed), 0.0
    for _ in range(days):
        total += env.step(policy(env.observe())).mean()
    return total / days


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, len(ORDERS)))
        self.critic = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, obs):
        return Categorical(logits=self.actor(obs)), self.critic(obs).squeeze(-1)


def main(updates=600, horizon=10, gamma=0.95):
    torch.manual_seed(52)
    model = ActorCritic()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3, alpha=0.99, eps=1e-5)
    env = Machines(ENVS, 52)
    orders = np.array(ORDERS, dtype=float)
    obs = env.observe()
    for update in range(updates):
        log_probs, values, rewards, entropies = [], [], [], []
        for _ in range(horizon):
            dist, value = model(obs)
            action = dist.sample()
            reward = env.step(orders[action.numpy()])
            log_probs.append(dist.log_prob(action))
            entropies.append(dist.entropy())
            values.append(value)
            rewards.append(torch.tensor(reward / 10, dtype=torch.float32))
            obs = env.observe()
        with torch.no_grad():
            ret = model(obs)[1]
        returns = []
        for r in reversed(rewards):
            ret = r + gamma * ret
            returns.insert(0, ret)
        returns, values = torch.stack(returns), torch.stack(values)
        advantage = (returns - values).detach()
        policy_loss = -(torch.stack(log_probs) * advantage).mean()
        value_loss = (returns - values).pow(2).mean()
        entropy = torch.stack(entropies).mean()
        loss = policy_loss + 0.5 * value_loss - 0.01 * entropy
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - update / updates)
        if update % 60 == 0:
            mean = 10 * torch.stack(rewards).mean().item()
            print(
                f"{update:4d} loss {loss.item():+.4f} value {value_loss.item():.3f} "
                f"entropy {entropy.item():.3f} profit {mean:.2f}"
            )

    def learned(obs):
        with torch.no_grad():
            return orders[model(obs)[0].probs.argmax(1).numpy()]

    def fixed(level, amount):
        return lambda obs: np.where(obs[:, 0].numpy() * CAPACITY < level, float(amount), 0.0)

    rule = max(run(fixed(level, amount)) for level in (5, 8, 11, 14, 18) for amount in ORDERS[1:])
    ours = run(learned)
    print(f"profit a day: learned {ours:.3f}, best fixed rule {rule:.3f}")
    print(f"metric: {ours / rule:.4f}")


if __name__ == "__main__":
    main()
