"""Deep Q-learning with a replay memory and a target network: a robot fetches a parcel and brings it home.

family: rl
metric: share of tasks solved within the time limit, higher
"""

import copy
import random
from collections import deque

import torch
from torch import nn

SIZE = 5
ACTIONS = [(0, 1), (0, -1), (1, 0), (-1, 0)]


class Warehouse:
    def reset(self):
        self.robot = [random.randrange(SIZE), random.randrange(SIZE)]
        self.parcel = [random.randrange(SIZE), random.randrange(SIZE)]
        self.carrying = False
        self.clock = 0
        return self.view()

    def view(self):
        aim = [0, 0] if self.carrying else self.parcel
        around = [
            self.robot[0] / 4,
            self.robot[1] / 4,
            (aim[0] - self.robot[0]) / 4,
            (aim[1] - self.robot[1]) / 4,
        ]
        return [*around, float(self.carrying)]

    def act(self, a):
        for k in range(2):
            self.robot[k] = min(SIZE - 1, max(0, self.robot[k] + ACTIONS[a][k]))
        self.clock += 1
        reward = -0.02
        if not self.carrying and self.robot == self.parcel:
            self.carrying, reward = True, 0.5
        solved = self.carrying and self.robot == [0, 0]
        if solved:
            reward = 1.0
        return self.view(), reward, solved, self.clock >= 40


def q_net():
    return nn.Sequential(
        nn.Linear(5, 64), nn.LeakyReLU(), nn.Linear(64, 64), nn.LeakyReLU(), nn.Linear(64, 4)
    )


def solved_share(q, episodes=100):
    wins = 0
    env = Warehouse()
    for _ in range(episodes):
        s, over, solved = env.reset(), False, False
        while not (over or solved):
            with torch.no_grad():
                s, _, solved, over = env.act(int(q(torch.tensor(s)).argmax()))
        wins += solved
    return wins / episodes


if __name__ == "__main__":
    random.seed(5)
    torch.manual_seed(5)
    q = q_net()
    target = copy.deepcopy(q).requires_grad_(False)
    optimizer = torch.optim.Adam(q.parameters(), lr=1e-3)
    memory = deque(maxlen=5000)
    env = Warehouse()
    state = env.reset()
    losses = []
    for step in range(4400):
        epsilon = max(0.05, 1 - step / 2500)
        if random.random() < epsilon:
            action = random.randrange(4)
        else:
            with torch.no_grad():
                action = int(q(torch.tensor(state)).argmax())
        after, reward, solved, over = env.act(action)
        memory.append((state, action, reward, after, float(solved)))
        state = env.reset() if solved or over else after

        if step >= 400 and step % 4 == 0:
            s, a, r, s2, end = zip(*random.sample(memory, 64), strict=True)
            s, s2, r, end = torch.tensor(s), torch.tensor(s2), torch.tensor(r), torch.tensor(end)
            best = q(s2).argmax(1, keepdim=True)
            goal = r + 0.95 * (1 - end) * target(s2).gather(1, best).squeeze(1)
            value = q(s).gather(1, torch.tensor(a)[:, None]).squeeze(1)
            loss = nn.functional.smooth_l1_loss(value, goal.detach())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_value_(q.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        if step % 200 == 0:
            target.load_state_dict(q.state_dict())
        if step % 800 == 799:
            print(f"step {step + 1}: loss {sum(losses[-100:]) / 100:.5f}, solved {solved_share(q, 30):.2f}")
    print("metric:", solved_share(q))
