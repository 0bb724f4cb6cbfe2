"""Advantage actor-critic with a shared trunk on sixteen cart-poles side by side.

family: rl
metric: mean number of steps the pole stands, of at most 200, higher
"""

import math

import numpy as np
import torch
from torch import nn


class CartPoles:
    """The classic cart-pole equations for n carts."""

    def __init__(self, n, seed):
        self.rng = np.random.default_rng(seed)
        self.n = n
        self.state = self.fresh(n)
        self.age = np.zeros(n, dtype=int)

    def fresh(self, n):
        return self.rng.uniform(-0.05, 0.05, (n, 4)).astype(np.float32)

    def step(self, action):
        x, v, a, w = self.state.T
        force = np.where(action == 1, 10.0, -10.0)
        sin, cos = np.sin(a), np.cos(a)
        temp = (force + 0.05 * w**2 * sin) / 1.1
        alpha = (9.8 * sin - cos * temp) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        acc = temp - 0.05 * alpha * cos / 1.1
        dt = 0.02
        self.state = np.stack([x + dt * v, v + dt * acc, a + dt * w, w + dt * alpha], 1).astype(np.float32)
        self.age += 1
        fell = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > 12 * math.pi / 180)
        timeout = (self.age >= 200) & ~fell
        final = self.state.copy()
        over = fell | timeout
        if over.any():
            self.state[over] = self.fresh(int(over.sum()))
            self.age[over] = 0
        return final, fell, timeout


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.actor = nn.Linear(64, 2)
        self.critic = nn.Linear(64, 1)
        self.register_buffer("scale", torch.tensor([1.0, 1.0, 8.0, 1.0]))

    def forward(self, state):
        h = self.trunk(state * self.scale)
        return self.actor(h), self.critic(h).squeeze(-1)


def evaluate(net):
    env = CartPoles(50, seed=100)
    stood = np.zeros(50)
    alive = np.ones(50, dtype=bool)
    for _ in range(200):
        with torch.no_grad():
            action = net(torch.from_numpy(env.state))[0].argmax(1).numpy()
        _, fell, _ = env.step(action)
        stood += alive
        alive &= ~fell
    return stood.mean()


def main():
    torch.manual_seed(3)
    env, net = CartPoles(16, seed=3), ActorCritic()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    gamma, horizon, updates = 0.98, 24, 240
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda u: 1 - u / updates)
    falls = 0
    for update in range(updates):
        states, actions, rewards, ends, bootstraps = [], [], [], [], []
        for _ in range(horizon):
            state = torch.from_numpy(env.state)
            with torch.no_grad():
                logits, _ = net(state)
            action = torch.distributions.Categorical(logits=logits).sample()
            final, fell, timeout = env.step(action.numpy())
            falls += int(fell.sum())
            with torch.no_grad():
                bootstraps.append(net(torch.from_numpy(final))[1] * torch.from_numpy(~fell))
            states.append(state)
            actions.append(action)
            rewards.append(torch.full((16,), 1 - gamma))
            ends.append(torch.from_numpy(fell | timeout))
        target, targets = bootstraps[-1], []
        for r, end, boot in zip(reversed(rewards), reversed(ends), reversed(bootstraps), strict=True):
            target = r + gamma * torch.where(end, boot, target)
            targets.append(target)
        targets = torch.stack(targets[::-1]).flatten()

        logits, values = net(torch.cat(states))
        law = torch.distributions.Categorical(logits=logits)
        advantage = (targets - values).detach()
        advantage = advantage / (advantage.std() + 1e-6)
        actor_loss = -(law.log_prob(torch.cat(actions)) * advantage).mean()
        loss = actor_loss + 0.5 * (targets - values).pow(2).mean() - 0.003 * law.entropy().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        if update % 40 == 39:
            print(
                f"{update + 1:4d} loss {loss.item():+.4f} falls {falls:4d} value {values.mean().item():.3f}"
            )
            falls = 0
    print(f"metric: {evaluate(net):.1f}")


if __name__ == "__main__":
    main()
