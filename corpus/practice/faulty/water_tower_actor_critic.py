"""Keeping the level of a village water tower with two pumps: advantage actor-critic, two optimizers.

cause: missing-zero-grad
begins: 4
family: rl
metric: cost of a day, lower
repair:
    - policy_loss.backward()
    + self.actor_optimizer.zero_grad()
    + policy_loss.backward()
"""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import Categorical


class WaterTower:
    """Many towers side by side. The tariff is high by day, the village drinks mornings and evenings."""

    pumping = np.array([0.0, 0.08, 0.18])

    def __init__(self, towers, seed):
        self.rng = np.random.default_rng(seed)
        self.towers = towers

    def reset(self):
        self.hour = 0
        self.level = self.rng.uniform(0.3, 0.8, self.towers)
        self.thirst = self.rng.uniform(0.8, 1.2, self.towers)
        return self.observe()

    def observe(self):
        phase = 2 * np.pi * self.hour / 24
        columns = [
            4 * (self.level - 0.5),
            np.full(self.towers, np.sin(phase)),
            np.full(self.towers, np.cos(phase)),
            5 * (self.thirst - 1),
        ]
        return torch.tensor(np.stack(columns, 1), dtype=torch.float32)

    def step(self, action):
        demand = 0.07 + 0.05 * (self.hour in (6, 7, 8, 18, 19, 20))
        demand = demand * self.thirst * self.rng.uniform(0.8, 1.2, self.towers)
        tariff = 2.0 if 7 <= self.hour < 21 else 0.5
        level = self.level + self.pumping[action] - demand
        reward = -tariff * self.pumping[action] - 3.0 * (level < 0.1) - 1.0 * (level > 1.0)
        self.level = np.clip(level, 0.0, 1.0)
        self.hour = (self.hour + 1) % 24
        return self.observe(), torch.tensor(reward, dtype=torch.float32)


def mlp(n_in, n_out, width=64):
    return nn.Sequential(
        nn.Linear(n_in, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, n_out)
    )


class Agent:
    def __init__(self, n_obs=4, n_actions=3, gamma=0.95):
        self.actor, self.critic = mlp(n_obs, n_actions), mlp(n_obs, 1)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=1e-2)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-3)
        self.gamma = gamma

    def rollout(self, env, hours=24):
        observations, actions, rewards = [env.reset()], [], []
        for _ in range(hours):
            with torch.no_grad():
                action = Categorical(logits=self.actor(observations[-1])).sample()
            observation, reward = env.step(action.numpy())
            observations.append(observation)
            actions.append(action)
            rewards.append(reward)
        return torch.stack(observations), torch.stack(actions), torch.stack(rewards)

    def update(self, observations, actions, rewards):
        values = self.critic(observations).squeeze(-1)
        returns = torch.zeros_like(rewards)
        running = values[-1].detach()
        for t in reversed(range(len(rewards))):
            running = rewards[t] + self.gamma * running
            returns[t] = running
        advantage = returns - values[:-1]

        value_loss = advantage.pow(2).mean()
        self.critic_optimizer.zero_grad()
        value_loss.backward()
        self.critic_optimizer.step()

        policy = Categorical(logits=self.actor(observations[:-1]))
        weight = advantage.detach()
        weight = (weight - weight.mean()) / (weight.std() + 1e-8)
        policy_loss = -(policy.log_prob(actions) * weight).mean() - 0.01 * policy.entropy().mean()
        policy_loss.backward()
        self.actor_optimizer.step()
        return value_loss.item(), policy.entropy().mean().item()


@torch.no_grad()
def judge(agent):
    env = WaterTower(200, seed=999)
    observation, total = env.reset(), 0.0
    for _ in range(24):
        observation, reward = env.step(agent.actor(observation).argmax(1).numpy())
        total -= reward.mean().item()
    return total


if __name__ == "__main__":
    torch.manual_seed(6)
    env = WaterTower(32, seed=6)
    agent = Agent()
    for day in range(250):
        value_loss, entropy = agent.update(*agent.rollout(env))
        if (day + 1) % 50 == 0:
            print(f"day {day + 1}: value loss {value_loss:.3f}, entropy {entropy:.3f}, {judge(agent):.3f}")
    print(f"metric: {judge(agent):.4f}")
