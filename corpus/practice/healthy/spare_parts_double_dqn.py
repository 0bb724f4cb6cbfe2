"""Double Q-learning orders spare parts for a workshop: stock costs, missing parts cost more.

family: rl
metric: cost of a week, lower
"""

import collections
import copy
import random

import torch
from torch import nn

SHELF, ORDERS = 20, (0, 2, 4, 8)
HOLD, MISS, DELIVERY = 0.1, 1.5, 0.5


class Store:
    def __init__(self):
        self.day, self.stock, self.coming = 0, random.randint(0, 10), 0

    def look(self):
        week = [float(self.day % 7 == d) for d in range(7)]
        return torch.tensor([self.stock / 10 - 1, self.coming / 4 - 1, *week])

    def step(self, action):
        cost = DELIVERY * (action > 0)
        self.stock = min(self.stock + self.coming, SHELF)
        self.coming = ORDERS[action]
        mean = 1.0 if self.day % 7 >= 5 else 3.0
        wanted = sum(random.random() < mean / 8 for _ in range(8))
        cost += MISS * max(wanted - self.stock, 0) + HOLD * self.stock
        self.stock = max(self.stock - wanted, 0)
        self.day += 1
        return -cost


def network():
    return nn.Sequential(
        nn.Linear(9, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, len(ORDERS))
    )


@torch.no_grad()
def weekly_cost(choose, weeks=120):
    store, cost = Store(), 0.0
    for _ in range(7 * weeks):
        cost -= store.step(choose(store))
    return cost / weeks


def main():
    random.seed(29)
    torch.manual_seed(29)
    q = network()
    target = copy.deepcopy(q)
    optimizer = torch.optim.Adam(q.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 2000, eta_min=5e-5)
    memory = collections.deque(maxlen=4000)
    store = Store()
    print(f"at random: {weekly_cost(lambda s: random.randrange(4)):.2f} a week")
    print(f"up to seven: {weekly_cost(lambda s: 2 if s.stock + s.coming < 7 else 0):.2f} a week")
    for step in range(2000):
        for _ in range(2):
            state = store.look()
            if random.random() < max(0.05, 1 - step / 800):
                action = random.randrange(len(ORDERS))
            else:
                with torch.no_grad():
                    action = int(q(state).argmax())
            memory.append((state, action, store.step(action) / 3, store.look()))
        if len(memory) < 200:
            continue
        states, actions, rewards, following = zip(*random.sample(memory, 48), strict=True)
        states, following = torch.stack(states), torch.stack(following)
        with torch.no_grad():
            best = q(following).argmax(1, keepdim=True)
            goal = torch.tensor(rewards) + 0.9 * target(following).gather(1, best).squeeze(1)
        value = q(states).gather(1, torch.tensor(actions)[:, None]).squeeze(1)
        loss = nn.functional.smooth_l1_loss(value, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            target.load_state_dict(q.state_dict())
        if step % 400 == 399:
            cost = weekly_cost(lambda s: int(q(s.look()).argmax()))
            print(f"step {step + 1}: loss {loss.item():.4f}, {cost:.2f} a week")
    print(f"metric: {weekly_cost(lambda s: int(q(s.look()).argmax()), 300):.4f}")


if __name__ == "__main__":
    main()
