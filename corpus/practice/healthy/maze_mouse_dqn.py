"""A mouse in a small maze with cheese and a trap: deep Q-learning with replay and a target network.

family: rl
metric: mean return of the greedy mouse, higher
"""

import copy
import random
from collections import deque

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

MAZE = ["#######", "#..#..#", "#.##.##", "#....T#", "##.#.##", "#..#.C#", "#######"]
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]
FREE = [(r, c) for r, row in enumerate(MAZE) for c, ch in enumerate(row) if ch == "."]


class Maze:
    def reset(self):
        self.at, self.t = random.choice(FREE), 0
        return self.see()

    def see(self):
        s = np.zeros(49, dtype=np.float32)
        s[self.at[0] * 7 + self.at[1]] = 1
        return s

    def step(self, action):
        dr, dc = MOVES[action if random.random() > 0.05 else random.randrange(4)]
        r, c = self.at[0] + dr, self.at[1] + dc
        if MAZE[r][c] != "#":
            self.at = (r, c)
        self.t += 1
        here = MAZE[self.at[0]][self.at[1]]
        reward = {"C": 1.0, "T": -0.5}.get(here, -0.02)
        return self.see(), reward, here == "C", self.t >= 40


def play(net, episodes=60):
    env, returns = Maze(), []
    for _ in range(episodes):
        s, total = env.reset(), 0.0
        while True:
            with torch.no_grad():
                a = net(torch.from_numpy(s)).argmax().item()
            s, r, end, late = env.step(a)
            total += r
            if end or late:
                break
        returns.append(total)
    return float(np.mean(returns))


def main():
    random.seed(6)
    np.random.seed(6)
    torch.manual_seed(6)
    net = nn.Sequential(nn.Linear(49, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
    target = copy.deepcopy(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    memory = deque(maxlen=5000)
    env = Maze()
    s = env.reset()
    for step in range(5000):
        epsilon = max(0.1, 1 - step / 2500)
        if random.random() < epsilon:
            a = random.randrange(4)
        else:
            with torch.no_grad():
                a = net(torch.from_numpy(s)).argmax().item()
        s2, r, end, late = env.step(a)
        memory.append((s, a, r, s2, end))
        s = env.reset() if end or late else s2
        if len(memory) >= 500 and step % 3 == 0:
            states, actions, rewards, following, ends = zip(*random.sample(memory, 64), strict=True)
            states, following = torch.from_numpy(np.stack(states)), torch.from_numpy(np.stack(following))
            actions, rewards, ends = torch.tensor(actions), torch.tensor(rewards), torch.tensor(ends).float()
            with torch.no_grad():
                goal = rewards + 0.95 * (1 - ends) * target(following).max(1).values
            q = net(states).gather(1, actions[:, None]).squeeze(1)
            loss = F.smooth_l1_loss(q, goal)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if step % 250 == 0:
            target.load_state_dict(net.state_dict())
        if step % 1000 == 999:
            print(f"step {step + 1}: epsilon {epsilon:.2f} loss {loss.item():.4f} return {play(net, 20):.3f}")
    print(f"metric: {play(net):.4f}")


if __name__ == "__main__":
    main()
