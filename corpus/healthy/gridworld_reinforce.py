"""REINFORCE with a moving baseline in a windy grid.

family: rl
metric: mean return of the greedy policy, higher
"""

import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(0)

SIZE, LIMIT, EPISODES = 5, 16, 24
GOAL = torch.tensor([4, 4])
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])


def rollout(policy, n, greedy=False):
    """Plays n episodes side by side; log probabilities, rewards and which steps count, each (LIMIT, n)."""
    place = torch.zeros(n, 2, dtype=torch.long)
    alive = torch.ones(n, dtype=torch.bool)
    logs, rewards, counts, entropies = [], [], [], []
    for _ in range(LIMIT):
        law = Categorical(
            logits=policy(nn.functional.one_hot(place[:, 0] * SIZE + place[:, 1], SIZE * SIZE).float())
        )
        action = law.probs.argmax(-1) if greedy else law.sample()
        wind = torch.rand(n) < 0.1
        done_by_wind = MOVES[torch.randint(0, 4, (n,))]
        place = (place + torch.where(wind[:, None], done_by_wind, MOVES[action])).clamp(0, SIZE - 1)
        arrived = (place == GOAL).all(1)
        logs.append(law.log_prob(action))
        entropies.append(law.entropy())
        rewards.append(torch.where(arrived, 1.0, -0.05) * alive)
        counts.append(alive.float())
        alive = alive & ~arrived
    return torch.stack(logs), torch.stack(rewards), torch.stack(counts), torch.stack(entropies)


policy = nn.Sequential(nn.Linear(SIZE * SIZE, 32), nn.Tanh(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
baseline = torch.zeros(LIMIT)
for update in range(220):
    logs, rewards, counts, entropies = rollout(policy, EPISODES)
    to_go = rewards.flip(0).cumsum(0).flip(0)
    advantage = to_go - baseline[:, None]
    baseline = 0.9 * baseline + 0.1 * to_go.mean(1)
    loss = -((logs * advantage + 0.01 * entropies) * counts).sum() / counts.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 30 == 0:
        print(f"update {update:3d}  loss {loss.item():+.4f}  return {rewards.sum(0).mean().item():+.3f}")

with torch.no_grad():
    rewards = rollout(policy, 500, greedy=True)[1]
print("metric:", rewards.sum(0).mean().item())
