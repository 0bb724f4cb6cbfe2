"""Deep Q-learning for the signal of a tram junction: which of four arms may go.

family: rl
metric: mean waiting vehicles per step in evaluation, lower
"""

import copy
import random
from collections import deque

import numpy as np
import torch
from torch import nn


class Junction:
    """Queues on four arms; a switch costs one step of yellow."""

    rates = np.array([0.35, 0.15, 0.30, 0.10])

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def reset(self):
        self.queue = self.rng.poisson(2, 4).astype(float)
        self.phase, self.t = 0, 0
        self.burst = self.rng.random(4) * 0.3
        return self.observe()

    def observe(self):
        one_hot = np.eye(4)[self.phase]
        return np.concatenate([np.minimum(self.queue, 20) / 10, one_hot]).astype(np.float32)

    def step(self, action):
        if action == self.phase:
            self.queue[self.phase] = max(0, self.queue[self.phase] - 2)
        self.phase = action
        self.queue += self.rng.poisson(self.rates * (1 + self.burst * np.sin(self.t / 15)))
        self.queue = np.minimum(self.queue, 30)
        self.t += 1
        return self.observe(), -self.queue.sum() / 10, self.t >= 60


def build():
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def evaluate(policy, episodes=10):
    env, total = Junction(999), 0.0
    for _ in range(episodes):
        state, done = env.reset(), False
        while not done:
            state, reward, done = env.step(policy(state))
            total -= reward * 10
    return total / (episodes * 60)


def main():
    random.seed(26)
    torch.manual_seed(26)
    env = Junction(26)
    net = build()
    target = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    replay = deque(maxlen=8000)
    steps = 0
    for episode in range(120):
        state, done, ret = env.reset(), False, 0.0
        epsilon = max(0.05, 1 - episode / 40)
        while not done:
            if random.random() < epsilon:
                action = random.randrange(4)
            else:
                with torch.no_grad():
                    action = net(torch.from_numpy(state)).argmax().item()
            after, reward, done = env.step(action)
            # the clock is not in the state: an episode that ends by time still has value ahead
            replay.append((state, action, reward, after))
            state, ret = after, ret + reward
            steps += 1
            if len(replay) < 500 or steps % 3:
                continue
            s, a, r, s2 = zip(*random.sample(replay, 64), strict=True)
            s, s2 = torch.from_numpy(np.stack(s)), torch.from_numpy(np.stack(s2))
            a, r = torch.tensor(a), torch.tensor(r, dtype=torch.float32)
            with torch.no_grad():
                best = net(s2).argmax(1, keepdim=True)
                y = r + 0.9 * target(s2).gather(1, best).squeeze(1)
            q = net(s).gather(1, a[:, None]).squeeze(1)
            loss = nn.functional.smooth_l1_loss(q, y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            optimizer.step()
            for p, tp in zip(net.parameters(), target.parameters(), strict=True):
                tp.data.lerp_(p.data, 0.02)
        if episode % 10 == 9:
            print(f"episode {episode + 1} epsilon {epsilon:.2f} return {ret:.1f} loss {loss.item():.4f}")

    def greedy(state):
        with torch.no_grad():
            return net(torch.from_numpy(state)).argmax().item()

    longest = evaluate(lambda s: int(s[:4].argmax()))
    print(f"longest queue first {longest:.2f}")
    print(f"metric: {evaluate(greedy):.4f}")


if __name__ == "__main__":
    main()
