"""How much water to let out of a reservoir: two critics and a delayed actor on a continuous action.

family: rl
metric: mean reward a day of the actor without noise, higher
"""

import copy

import numpy as np
import torch
from torch import nn


class Reservoir:
    """State: filling, season (sine, cosine), last inflow. Action in -1..1: the release."""

    def __init__(self, rng, n=1):
        self.rng, self.n = rng, n
        self.reset()

    def reset(self):
        self.level = self.rng.uniform(0.3, 0.7, self.n)
        self.day = self.rng.uniform(0, 100, self.n)
        self.inflow = np.full(self.n, 0.05)
        return self.see()

    def see(self):
        w = 2 * np.pi * self.day / 100
        return np.stack([4 * (self.level - 0.5), np.sin(w), np.cos(w), 10 * self.inflow], 1).astype(
            np.float32
        )

    def step(self, action):
        release = 0.06 * (action + 1)
        w = 2 * np.pi * self.day / 100
        demand = 0.06 + 0.03 * np.cos(w)
        self.inflow = np.maximum(0.06 + 0.05 * np.sin(w) + self.rng.normal(0, 0.015, self.n), 0)
        self.level = self.level + self.inflow - release
        flood = np.maximum(self.level - 0.9, 0) + np.maximum(0.1 - self.level, 0)
        reward = -15 * np.abs(release - demand) - 20 * flood
        self.level = self.level.clip(0, 1)
        self.day = self.day + 1
        return self.see(), reward


def net(inputs, outputs, *last):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, outputs), *last
    )


def evaluate(actor, n=50, days=100):
    env = Reservoir(np.random.default_rng(99), n)
    s, total = env.see(), 0.0
    for _ in range(days):
        with torch.no_grad():
            a = actor(torch.from_numpy(s)).numpy()[:, 0]
        s, r = env.step(a)
        total += r.mean()
    return total / days


if __name__ == "__main__":
    torch.manual_seed(40)
    rng = np.random.default_rng(40)
    env = Reservoir(rng, 8)
    actor, critics = net(4, 1, nn.Tanh()), nn.ModuleList([net(5, 1), net(5, 1)])
    slow_actor, slow_critics = copy.deepcopy(actor), copy.deepcopy(critics)
    actor_optimizer = torch.optim.Adam(actor.parameters(), lr=5e-4)
    critic_optimizer = torch.optim.Adam(critics.parameters(), lr=1e-3)
    memory, s = [], env.see()
    print(f"before: {evaluate(actor):.3f}")
    for step in range(1400):
        with torch.no_grad():
            a = actor(torch.from_numpy(s)).numpy()[:, 0]
        a = rng.uniform(-1, 1, 8) if step < 100 else np.clip(a + rng.normal(0, 0.2, 8), -1, 1)
        s2, r = env.step(a)
        memory.append(np.concatenate([s, a[:, None], r[:, None], s2], 1).astype(np.float32))
        s = env.reset() if step % 100 == 99 else s2
        if step < 100:
            continue
        picks = rng.integers(0, len(memory), 16)
        batch = torch.from_numpy(np.concatenate([memory[i] for i in picks]))
        state, action, reward, after = batch[:, :4], batch[:, 4:5], batch[:, 5:6], batch[:, 6:]
        with torch.no_grad():
            noise = (0.2 * torch.randn_like(action)).clamp(-0.4, 0.4)
            pair = torch.cat([after, (slow_actor(after) + noise).clamp(-1, 1)], 1)
            goal = reward + 0.95 * torch.min(slow_critics[0](pair), slow_critics[1](pair))
        pair = torch.cat([state, action], 1)
        critic_loss = sum(nn.functional.mse_loss(c(pair), goal) for c in critics)
        critic_optimizer.zero_grad()
        critic_loss.backward()
        critic_optimizer.step()
        if step % 2 == 0:
            actor_loss = -critics[0](torch.cat([state, actor(state)], 1)).mean()
            actor_optimizer.zero_grad()
            actor_loss.backward()
            actor_optimizer.step()
            with torch.no_grad():
                for slow, fast in ((slow_actor, actor), (slow_critics, critics)):
                    for p, q in zip(slow.parameters(), fast.parameters(), strict=True):
                        p.lerp_(q, 0.02)
        if step % 200 == 199:
            print(f"step {step + 1}: critic {critic_loss.item():.3f} reward {evaluate(actor):.3f}")
    print(f"metric: {evaluate(actor):.4f}")
