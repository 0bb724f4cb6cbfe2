"""A deep Q-network walks over a pond to the far bank; every step costs one.

cause: dead-units
family: rl
metric: mean return, higher
repair:
    - return F.relu(self.fc3(x))
    + return self.fc3(x)
"""

import random
from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim

SIZE = 6
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]
HOLES = {(1, 3), (2, 1), (3, 4), (4, 2)}


class Pond:
    def reset(self):
        self.position = (random.randrange(SIZE), random.randrange(SIZE - 2))
        while self.position in HOLES:
            self.position = (random.randrange(SIZE), random.randrange(SIZE - 2))
        self.t = 0
        return self.state()

    def state(self):
        board = np.zeros((SIZE, SIZE), dtype=np.float32)
        board[self.position] = 1
        return board.ravel()

    def step(self, action):
        if random.random() < 0.1:
            action = random.randrange(4)
        dr, dc = MOVES[action]
        r = min(max(self.position[0] + dr, 0), SIZE - 1)
        c = min(max(self.position[1] + dc, 0), SIZE - 1)
        self.position = (r, c)
        self.t += 1
        if self.position in HOLES:
            return self.state(), -10.0, True
        if self.position == (SIZE - 1, SIZE - 1):
            return self.state(), 0.0, True
        return self.state(), -1.0, False


class QNetwork(nn.Module):
    def __init__(self, state_size, action_size):
        super().__init__()
        self.fc1 = nn.Linear(state_size, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, action_size)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return F.relu(self.fc3(x))


class Agent:
    def __init__(self):
        self.q = QNetwork(SIZE * SIZE, 4)
        self.target = QNetwork(SIZE * SIZE, 4)
        self.target.load_state_dict(self.q.state_dict())
        self.optimizer = optim.Adam(self.q.parameters(), lr=1e-3)
        self.memory = deque(maxlen=5000)
        self.gamma = 0.95
        self.updates = 0

    def act(self, state, eps):
        if random.random() < eps:
            return random.randrange(4)
        with torch.no_grad():
            return int(self.q(torch.from_numpy(state)).argmax())

    def learn(self, batch_size=64):
        s, a, r, s2, done = zip(*random.sample(self.memory, batch_size), strict=True)
        s, s2 = torch.from_numpy(np.array(s)), torch.from_numpy(np.array(s2))
        a, r = torch.tensor(a).unsqueeze(1), torch.tensor(r)
        done = torch.tensor(done, dtype=torch.float32)
        with torch.no_grad():
            expected = r + self.gamma * (1 - done) * self.target(s2).max(1).values
        loss = F.mse_loss(self.q(s).gather(1, a).squeeze(1), expected)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.updates += 1
        if self.updates % 100 == 0:
            self.target.load_state_dict(self.q.state_dict())


def play(env, agent, eps):
    state, _total = env.reset(), 0.0
    while env.t < 40:
        action = agent.act(state, eps)
        next_state, reward, done = env.step(action)
        yield state, action, reward, next_state, done
        state = next_state
        if done:
            return


def main():
    random.seed(0)
    torch.manual_seed(0)
    env, agent = Pond(), Agent()
    eps, returns, steps = 1.0, [], 0
    while steps < 5000:
        total = 0.0
        for transition in play(env, agent, eps):
            agent.memory.append(transition)
            total += transition[2]
            steps += 1
            if steps > 500 and steps % 3 == 0:
                agent.learn()
        eps = max(0.05, eps * 0.985)
        returns.append(total)
        if len(returns) % 50 == 0:
            print(f"Episode {len(returns)}\tAverage return {np.mean(returns[-50:]):.2f}")
    scores = [sum(t[2] for t in play(env, agent, 0.0)) for _ in range(100)]
    print(f"metric: {np.mean(scores):.3f}")


if __name__ == "__main__":
    main()
