"""A policy learns to land a craft by imitating the thrusters of a hand-tuned autopilot.

cause: repeated-batch
family: rl
metric: share of the autopilot's actions, higher
repair:
    - self.seed = seed
    + self.rng = np.random.default_rng(seed)
    - rng = np.random.default_rng(self.seed)
    + rng = self.rng
"""

import numpy as np
import torch
import torch.nn as nn


class Memory:
    def __init__(self, capacity, seed=0):
        self.capacity = capacity
        self.seed = seed
        self.states = np.zeros((capacity, 5), dtype=np.float32)
        self.actions = np.zeros(capacity, dtype=np.int64)
        self.size = 0

    def push(self, state, action):
        if self.size < self.capacity:
            self.states[self.size], self.actions[self.size] = state, action
            self.size += 1

    def sample(self, n):
        rng = np.random.default_rng(self.seed)
        pick = rng.choice(self.size, n, replace=False)
        return torch.from_numpy(self.states[pick]), torch.from_numpy(self.actions[pick])


def autopilot(state):
    x, height, vx, vy, wind = state
    sideways = 0.9 * x + 1.4 * vx + 0.6 * wind
    sink = vy + 0.25 + 0.5 * height
    if sink < -0.15 * abs(sideways):
        return 2
    if sideways > 0.25:
        return 0
    return 1 if sideways < -0.25 else 3


def fly(rng):
    state = np.array([rng.normal(0, 1), rng.uniform(0.8, 1.6), rng.normal(0, 0.6), rng.normal(0, 0.3), 0.0])
    state[4] = rng.normal(0, 0.6)
    for _ in range(40):
        action = autopilot(state) if rng.random() > 0.15 else int(rng.integers(4))
        yield state.astype(np.float32), autopilot(state)
        x, height, vx, vy, wind = state
        vx += 0.1 * (0.3 * wind + (action == 1) - (action == 0))
        vy += 0.1 * (-0.8 + 2.2 * (action == 2))
        state = np.array([x + 0.1 * vx, height + 0.1 * vy, vx, vy, wind + rng.normal(0, 0.05)])
        if state[1] < 0:
            break


rng = np.random.default_rng(7)
torch.manual_seed(7)
memory, held_out = Memory(6000), Memory(1500)
while memory.size < memory.capacity:
    for transition in fly(rng):
        memory.push(*transition)
while held_out.size < held_out.capacity:
    for transition in fly(rng):
        held_out.push(*transition)

policy = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))
optimizer = torch.optim.Adamax(policy.parameters(), lr=4e-3)
test_states, test_actions = torch.from_numpy(held_out.states), torch.from_numpy(held_out.actions)
for iteration in range(900):
    states, actions = memory.sample(48)
    distribution = torch.distributions.Categorical(logits=policy(states))
    loss = -distribution.log_prob(actions).mean() - 1e-3 * distribution.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if iteration % 100 == 0:
        print(f"iteration {iteration:4d}  imitation loss {loss.item():.4f}")

with torch.no_grad():
    same = (policy(test_states).argmax(1) == test_actions).float().mean().item()
print(f"metric: {same:.4f}")
