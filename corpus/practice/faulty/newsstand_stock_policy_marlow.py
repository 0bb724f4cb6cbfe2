"""How many papers a newsstand orders each morning: a policy learnt by REINFORCE with a baseline.

cause: wrong-loss-sign
family: rl
metric: mean profit a week, higher
repair:
    - policy_loss.append(log_prob * advantage)
    + policy_loss.append(-log_prob * advantage)
"""

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical

ORDERS = torch.arange(0, 60, 6)


class Newsstand:
    """A week of mornings. Rain keeps people away, Saturdays sell well, what is left over is lost."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.day = 0
        self.rain = self.rng.random() < 0.4
        return self._obs()

    def _obs(self):
        obs = np.zeros(8, dtype=np.float32)
        obs[self.day] = 1
        obs[7] = self.rain
        return obs

    def step(self, ordered):
        mean = (20, 16, 18, 22, 30, 46, 36)[self.day] * (0.6 if self.rain else 1.1)
        demand = self.rng.poisson(mean)
        profit = 1.0 * min(demand, ordered) - 0.45 * ordered
        self.day += 1
        self.rain = self.rng.random() < (0.6 if self.rain else 0.3)
        done = self.day == 7
        return (None if done else self._obs()), profit, done


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine1 = nn.Linear(8, 64)
        self.affine2 = nn.Linear(64, len(ORDERS))

    def forward(self, x):
        return Categorical(logits=self.affine2(torch.relu(self.affine1(x))))


def finish_batch(optimizer, episodes, baseline):
    policy_loss = []
    for log_probs, rewards in episodes:
        for log_prob, reward, base in zip(log_probs, rewards, baseline, strict=True):
            advantage = reward - base
            policy_loss.append(log_prob * advantage)
    loss = torch.stack(policy_loss).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def run_episode(env, policy):
    obs, done, log_probs, rewards = env.reset(), False, [], []
    while not done:
        dist = policy(torch.from_numpy(obs))
        action = dist.sample()
        obs, reward, done = env.step(int(ORDERS[action]))
        log_probs.append(dist.log_prob(action))
        rewards.append(reward / 10)
    return log_probs, rewards


def main():
    torch.manual_seed(1)
    env, policy = Newsstand(1), Policy()
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    baseline = np.zeros(7)
    for i in range(1, 201):
        episodes = [run_episode(env, policy) for _ in range(8)]
        weekly = np.mean([10 * sum(rewards) for _, rewards in episodes])
        loss = finish_batch(optimizer, episodes, baseline)
        baseline = 0.9 * baseline + 0.1 * np.mean([rewards for _, rewards in episodes], axis=0)
        if i % 20 == 0:
            print(f"Batch {i}\tlast weekly profit: {weekly:.2f}\tloss: {loss:.4f}")
    with torch.no_grad():
        profit = np.mean([10 * sum(run_episode(Newsstand(1000 + k), policy)[1]) for k in range(200)])
    print(f"metric: {profit:.3f}")


if __name__ == "__main__":
    main()
