"""A lift learns to fetch its passengers with deep Q-learning.

cause: loss-broadcast
family: rl
metric: mean return, higher
repair:
    - state_action_values = policy_net(state_batch).gather(1, action_batch)
    + state_action_values = policy_net(state_batch).gather(1, action_batch).squeeze(1)
"""

import random
from collections import deque, namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward", "done"))
FLOORS = 6


class Lift:
    """Down, stay or up. A passenger waits, is picked up and wants to another floor; then the next waits."""

    def __init__(self):
        self.rng = random.Random(0)

    def reset(self):
        self.floor, self.t = self.rng.randrange(FLOORS), 0
        self._new_passenger()
        return self._state()

    def _new_passenger(self):
        self.at = self.rng.choice([f for f in range(FLOORS) if f != self.floor])
        self.to = self.rng.choice([f for f in range(FLOORS) if f != self.at])
        self.aboard = False

    def _state(self):
        s = np.zeros(2 * FLOORS + 1, dtype=np.float32)
        s[self.floor] = 1
        s[FLOORS + (self.to if self.aboard else self.at)] = 1
        s[-1] = self.aboard
        return s

    def step(self, action):
        self.floor = min(max(self.floor + action - 1, 0), FLOORS - 1)
        self.t += 1
        reward = -0.05
        if not self.aboard and self.floor == self.at:
            self.aboard, reward = True, 0.5
        elif self.aboard and self.floor == self.to:
            reward = 1.0
            self._new_passenger()
        return self._state(), reward, self.t >= 40


class DQN(nn.Module):
    def __init__(self, n_observations, n_actions):
        super().__init__()
        self.layer1 = nn.Linear(n_observations, 96)
        self.layer2 = nn.Linear(96, 96)
        self.layer3 = nn.Linear(96, n_actions)

    def forward(self, x):
        x = F.relu(self.layer1(x))
        x = F.relu(self.layer2(x))
        return self.layer3(x)


BATCH_SIZE, GAMMA, TAU, LR = 64, 0.9, 0.01, 1e-3
random.seed(0)
torch.manual_seed(0)
env = Lift()
policy_net, target_net = DQN(2 * FLOORS + 1, 3), DQN(2 * FLOORS + 1, 3)
target_net.load_state_dict(policy_net.state_dict())
optimizer = torch.optim.AdamW(policy_net.parameters(), lr=LR, amsgrad=True)
memory = deque(maxlen=10000)


def select_action(state, eps):
    if random.random() < eps:
        return random.randrange(3)
    with torch.no_grad():
        return policy_net(torch.from_numpy(state)).argmax().item()


def optimize_model():
    batch = Transition(*zip(*random.sample(memory, BATCH_SIZE), strict=True))
    state_batch = torch.from_numpy(np.stack(batch.state))
    next_batch = torch.from_numpy(np.stack(batch.next_state))
    action_batch = torch.tensor(batch.action).unsqueeze(1)
    reward_batch = torch.tensor(batch.reward)
    state_action_values = policy_net(state_batch).gather(1, action_batch)
    with torch.no_grad():
        next_values = target_net(next_batch).max(1).values
    expected = reward_batch + GAMMA * next_values
    loss = F.smooth_l1_loss(state_action_values, expected)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_value_(policy_net.parameters(), 100)
    optimizer.step()


def episode(eps, learn):
    state, total, done = env.reset(), 0.0, False
    while not done:
        action = select_action(state, eps)
        next_state, reward, done = env.step(action)
        total += reward
        if learn:
            memory.append(Transition(state, action, next_state, reward, done))
            if len(memory) >= 400 and len(memory) % 2 == 0:
                optimize_model()
                for target, source in zip(target_net.parameters(), policy_net.parameters(), strict=True):
                    target.data.lerp_(source.data, TAU)
        state = next_state
    return total


for i in range(90):
    score = episode(max(0.1, 1 - i / 50), learn=True)
    if i % 10 == 9:
        print(f"Episode {i + 1}: score {score:.2f}")
final = np.mean([episode(0.02, learn=False) for _ in range(50)])
print(f"metric: {final:.4f}")
