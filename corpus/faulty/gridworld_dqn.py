"""Deep Q-learning in a small grid with pits: walk from any square to the goal.

cause: loss-broadcast
family: rl
metric: share_of_starts_that_reach_the_goal, higher
repair:
    - q = online(state).gather(1, action[:, None])
    + q = online(state).gather(1, action[:, None]).squeeze(1)
"""

import copy
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F

GRID = [
    "......",
    ".X..X.",
    "...X..",
    ".X...X",
    "..X..X",
    "X....G",
]
SIDE = len(GRID)
MOVES = [(-1, 0), (1, 0), (0, -1), (0, 1)]
FREE = [(r, c) for r in range(SIDE) for c in range(SIDE) if GRID[r][c] == "."]


def observe(cell):
    x = torch.zeros(2 * SIDE)
    x[cell[0]] = x[SIDE + cell[1]] = 1.0
    return x


def step(cell, move):
    r = min(max(cell[0] + MOVES[move][0], 0), SIDE - 1)
    c = min(max(cell[1] + MOVES[move][1], 0), SIDE - 1)
    if GRID[r][c] == "G":
        return (r, c), 1.0, True
    if GRID[r][c] == "X":
        return (r, c), -1.0, True
    return (r, c), -0.02, False


def q_network():
    return nn.Sequential(nn.Linear(2 * SIDE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))


def learn(online, target, optimizer, memory):
    batch = random.sample(memory, 64)
    state, action, reward, after, done = zip(*batch, strict=True)
    state, after = torch.stack(state), torch.stack(after)
    action = torch.tensor(action)
    reward = torch.tensor(reward)
    done = torch.tensor(done, dtype=torch.float32)

    q = online(state).gather(1, action[:, None])
    with torch.no_grad():
        goal = reward + 0.95 * (1 - done) * target(after).max(1).values
    loss = F.smooth_l1_loss(q, goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def evaluate(online):
    reached = 0
    for start in FREE:
        cell = start
        for _ in range(30):
            with torch.no_grad():
                cell, reward, done = step(cell, online(observe(cell)).argmax().item())
            if done:
                reached += reward > 0
                break
    return reached / len(FREE)


def main():
    random.seed(4)
    torch.manual_seed(4)
    online = q_network()
    target = copy.deepcopy(online)
    optimizer = torch.optim.Adam(online.parameters(), lr=2e-3)
    memory = deque(maxlen=5000)
    cell, age = random.choice(FREE), 0
    for t in range(4000):
        if random.random() < max(0.1, 1 - t / 2500):
            move = random.randrange(4)
        else:
            with torch.no_grad():
                move = online(observe(cell)).argmax().item()
        new, reward, done = step(cell, move)
        memory.append((observe(cell), move, reward, observe(new), done))
        cell, age = new, age + 1
        if done or age > 40:
            cell, age = random.choice(FREE), 0
        if t > 300 and t % 4 == 0:
            loss = learn(online, target, optimizer, memory)
        if t % 100 == 0:
            target.load_state_dict(online.state_dict())
        if t % 1000 == 999:
            print(f"t={t + 1} loss={loss:.4f} reached={evaluate(online):.2f}")
    print(f"metric: {evaluate(online):.4f}")


if __name__ == "__main__":
    main()
