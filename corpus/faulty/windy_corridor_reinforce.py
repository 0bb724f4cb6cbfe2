"""Policy gradient on a windy grid with a slippery floor.

cause: batch-too-small
family: rl
metric: mean return, higher
repair:
    - EPISODES_PER_UPDATE = 1
    + EPISODES_PER_UPDATE = 32
"""

import torch
from torch import nn
from torch.distributions import Categorical

EPISODES_PER_UPDATE = 1
UPDATES = 250
WIDTH, HEIGHT, HORIZON = 5, 4, 25
MOVES = torch.tensor([[1, 0], [-1, 0], [0, 1], [0, -1]])


class WindyGrid:
    """Many copies of the same walk; +10 at the far corner, -2 in the ditch, -0.2 a step."""

    def __init__(self, copies):
        self.place = torch.zeros(copies, 2, dtype=torch.long)
        self.alive = torch.ones(copies, dtype=torch.bool)

    def observe(self):
        return nn.functional.one_hot(self.place[:, 0] + WIDTH * self.place[:, 1], WIDTH * HEIGHT).float()

    def step(self, action):
        slip = torch.rand(len(action)) < 0.1
        action = torch.where(slip, torch.randint(4, action.shape), action)
        move = MOVES[action].clone()
        move[:, 1] -= ((self.place[:, 0] > 0) & (torch.rand(len(action)) < 0.1)).long()
        place = self.place + move * self.alive[:, None]
        self.place = torch.stack([place[:, 0].clamp(0, WIDTH - 1), place[:, 1].clamp(0, HEIGHT - 1)], 1)
        goal = (self.place[:, 0] == WIDTH - 1) & (self.place[:, 1] == HEIGHT - 1)
        ditch = (self.place[:, 0] > 0) & (self.place[:, 0] < WIDTH - 1) & (self.place[:, 1] == 0)
        reward = (10.0 * goal - 2.0 * ditch - 0.2) * self.alive
        self.alive = self.alive & ~goal & ~ditch
        return reward


def play(policy, copies):
    grid = WindyGrid(copies)
    log_probs, rewards, alive, entropy = [], [], [], []
    for _ in range(HORIZON):
        choice = Categorical(logits=policy(grid.observe()))
        action = choice.sample()
        alive.append(grid.alive.float())
        entropy.append(choice.entropy())
        log_probs.append(choice.log_prob(action))
        rewards.append(grid.step(action))
        if not grid.alive.any():
            break
    return torch.stack(log_probs), torch.stack(rewards), torch.stack(alive), torch.stack(entropy)


torch.manual_seed(77)
policy = nn.Sequential(nn.Linear(WIDTH * HEIGHT, 32), nn.Tanh(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.02)
baseline, recent = 0.0, []
for update in range(UPDATES):
    log_probs, rewards, alive, entropy = play(policy, EPISODES_PER_UPDATE)
    to_go = rewards.flip(0).cumsum(0).flip(0)
    total = to_go[0].mean().item()
    gain = ((to_go - baseline) * log_probs + 0.1 * entropy) * alive
    loss = -gain.sum(0).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    baseline = 0.95 * baseline + 0.05 * total
    recent.append(total)
    if (update + 1) % 50 == 0:
        print(f"update {update + 1}: mean return {sum(recent[-50:]) / 50:.3f}")

with torch.no_grad():
    _, rewards, _, _ = play(policy, 500)
print(f"metric: {rewards.sum(0).mean().item():.4f}")
