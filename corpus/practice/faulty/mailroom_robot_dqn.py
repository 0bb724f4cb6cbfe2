"""A robot brings mail to the right pigeon-hole of a room, by deep Q-learning.

cause: missing-zero-grad
family: rl
metric: share of letters delivered, higher
repair:
    - target_net.zero_grad()
    + policy_net.zero_grad()
"""

import copy
from collections import deque

import numpy as np
import torch
import torch.nn as nn

GAMMA = 0.95
BATCH_SIZE = 64
HOLES = np.array([[0.1, 0.9], [0.5, 0.9], [0.9, 0.9], [0.9, 0.3]])
MOVES = np.array([[0.1, 0], [-0.1, 0], [0, 0.1], [0, -0.1]])


class MailRoom:
    """Several rooms at once; the letter's address is seen as one of four flags."""

    def __init__(self, n, seed):
        self.rng = np.random.default_rng(seed)
        self.n = n
        self.pos = np.zeros((n, 2))
        self.hole = np.zeros(n, dtype=int)
        self.age = np.zeros(n, dtype=int)
        self.reset(np.ones(n, dtype=bool))

    def reset(self, who):
        self.pos[who] = self.rng.uniform(0.05, 0.95, (who.sum(), 2))
        self.hole[who] = self.rng.integers(0, 4, who.sum())
        self.age[who] = 0

    def observe(self):
        return np.concatenate([self.pos * 2 - 1, np.eye(4)[self.hole]], 1).astype(np.float32)

    def step(self, actions):
        self.pos = np.clip(self.pos + MOVES[actions] + self.rng.normal(0, 0.01, (self.n, 2)), 0, 1)
        self.age += 1
        there = np.abs(self.pos - HOLES[self.hole]).max(1) < 0.09
        reward = np.where(there, 1.0, -0.02).astype(np.float32)
        after = self.observe()
        over = there | (self.age >= 25)
        self.reset(over)
        return after, reward, there, over


def build_net():
    return nn.Sequential(nn.Linear(6, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 4))


def play(net, letters=400):
    room = MailRoom(letters, 99)
    delivered = np.zeros(letters, dtype=bool)
    for _ in range(24):
        with torch.no_grad():
            actions = net(torch.from_numpy(room.observe())).argmax(1).numpy()
        _, _, there, _ = room.step(actions)
        delivered |= there
    return delivered.mean()


torch.manual_seed(17)
rng = np.random.default_rng(17)
policy_net = build_net()
target_net = copy.deepcopy(policy_net)
optimizer = torch.optim.Adam(policy_net.parameters(), lr=1e-3)
loss_fn = nn.SmoothL1Loss()
memory = deque(maxlen=20000)
room = MailRoom(8, 17)
state = room.observe()

for step in range(2000):
    epsilon = max(0.1, 1 - step / 800)
    with torch.no_grad():
        greedy = policy_net(torch.from_numpy(state)).argmax(1).numpy()
    action = np.where(rng.random(8) < epsilon, rng.integers(0, 4, 8), greedy)
    next_state, reward, done, _ = room.step(action)
    memory.extend(zip(state, action, reward, next_state, done, strict=True))
    state = room.observe()
    if len(memory) < 500:
        continue

    batch = [memory[i] for i in rng.integers(0, len(memory), BATCH_SIZE)]
    s, a, r, s2, d = (torch.as_tensor(np.stack(column)) for column in zip(*batch, strict=True))
    q = policy_net(s).gather(1, a.long().unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        target = r + GAMMA * target_net(s2).max(1).values * (~d).float()
    loss = loss_fn(q, target)
    target_net.zero_grad()
    loss.backward()
    optimizer.step()

    if step % 100 == 0:
        target_net.load_state_dict(policy_net.state_dict())
    if step % 400 == 0:
        print(f"step {step}, loss {loss.item():.4f}, epsilon {epsilon:.2f}, delivered {play(policy_net):.2f}")

print(f"metric: {play(policy_net):.4f}")
