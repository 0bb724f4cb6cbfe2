"""A rover crosses slippery ice, a small value network with replay and a target network.

family: rl
metric: mean return, higher
"""

import copy
import random
from collections import deque

import numpy as np
import torch
from torch import nn

SIDE = 5
HOLES = {(1, 1), (1, 3), (3, 2), (4, 0)}
GOAL = (4, 4)
MOVES = [(0, 1), (1, 0), (0, -1), (-1, 0)]


class Ice:
    def __init__(self, rng):
        self.rng = rng

    def reset(self):
        self.at, self.t = (0, 0), 0
        return self.view()

    def view(self):
        x = np.zeros(SIDE * SIDE, dtype=np.float32)
        x[self.at[0] * SIDE + self.at[1]] = 1.0
        return x

    def step(self, action):
        if self.rng.random() < 0.1:
            action = self.rng.randrange(4)
        row, column = self.at[0] + MOVES[action][0], self.at[1] + MOVES[action][1]
        self.at = (min(max(row, 0), SIDE - 1), min(max(column, 0), SIDE - 1))
        self.t += 1
        if self.at in HOLES:
            return self.view(), -1.0, True
        if self.at == GOAL:
            return self.view(), 1.0, True
        return self.view(), -0.01, self.t >= 40


class Agent:
    def __init__(self):
        self.online = nn.Sequential(nn.Linear(SIDE * SIDE, 64), nn.ReLU(), nn.Linear(64, 4))
        self.target = copy.deepcopy(self.online)
        self.optimizer = torch.optim.Adam(self.online.parameters(), lr=1e-3)
        self.memory = deque(maxlen=6000)

    def act(self, state, epsilon, rng):
        if rng.random() < epsilon:
            return rng.randrange(4)
        with torch.no_grad():
            return int(self.online(torch.from_numpy(state)).argmax())

    def learn(self, rng, batch=64, gamma=0.97):
        rows = rng.sample(self.memory, batch)
        s, a, r, n, d = (torch.from_numpy(np.array(column)) for column in zip(*rows, strict=True))
        with torch.no_grad():
            best = self.online(n).argmax(1, keepdim=True)
            goal = r.float() + gamma * (1 - d.float()) * self.target(n).gather(1, best).squeeze(1)
        value = self.online(s).gather(1, a[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(value, goal)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def play(agent, env, rng, epsilon):
    state, done = env.reset(), False
    while not done:
        action = agent.act(state, epsilon, rng)
        following, reward, done = env.step(action)
        yield state, action, reward, following, done
        state = following


def main():
    torch.manual_seed(10)
    rng = random.Random(10)
    env, agent = Ice(rng), Agent()
    updates, losses = 0, []
    for episode in range(420):
        epsilon = max(0.05, 1 - episode / 200)
        for step in play(agent, env, rng, epsilon):
            agent.memory.append(step)
            if len(agent.memory) >= 400:
                losses.append(agent.learn(rng))
                updates += 1
                if updates % 200 == 0:
                    agent.target.load_state_dict(agent.online.state_dict())
        if episode % 60 == 59:
            print(f"episode {episode + 1}: updates {updates}, loss {np.mean(losses[-300:]):.5f}")
    returns = [sum(step[2] for step in play(agent, env, rng, 0.0)) for _ in range(200)]
    print(f"metric: {np.mean(returns):.4f}")


if __name__ == "__main__":
    main()
