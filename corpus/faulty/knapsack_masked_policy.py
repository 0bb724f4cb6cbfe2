"""A policy packs a knapsack item by item; what no longer fits cannot be chosen.

cause: not-finite
family: rl
metric: share_of_best_value, higher
repair:
    - entropy = -(p * p.log()).sum(-1)
    + entropy = -(p * (p + 1e-9).log()).sum(-1)
"""

import itertools

import torch
import torch.nn as nn

ITEMS, CAPACITY = 8, 1.0


def problems(n):
    size = 0.1 + 0.5 * torch.rand(n, ITEMS)
    value = size * (0.5 + torch.rand(n, ITEMS))
    return size, value


class Packer(nn.Module):
    """Scores every item from its size, its value, and the room that is left."""

    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, size, value, room, free):
        room = room[:, None].expand_as(size)
        x = torch.stack([size, value, room, room - size], dim=-1)
        logits = self.score(x * 2).squeeze(-1)
        return logits.masked_fill(~free, float("-inf")).softmax(-1)


def pack(model, size, value, greedy=False):
    n = len(size)
    rows = torch.arange(n)
    left = torch.ones(n, ITEMS, dtype=torch.bool)
    room, gained = torch.full((n,), CAPACITY), torch.zeros(n)
    log_p, entropies = [], []
    for _ in range(ITEMS):
        free = left & (size <= room[:, None])
        going = free.any(1)
        if not going.any():
            break
        p = model(size, value, room, torch.where(going[:, None], free, True))
        entropy = -(p * p.log()).sum(-1)
        choice = (p if greedy else p / torch.empty_like(p).exponential_()).argmax(-1)
        log_p.append(p[rows, choice].clamp(min=1e-9).log() * going)
        entropies.append(entropy * going)
        room = room - size[rows, choice] * going
        gained = gained + value[rows, choice] * going
        left = left.clone()
        left[rows, choice] = False
    return gained, torch.stack(log_p).sum(0), torch.stack(entropies).mean(0)


def best_values(size, value):
    choices = torch.tensor(list(itertools.product([0.0, 1.0], repeat=ITEMS)))
    fits = choices @ size.T <= CAPACITY
    return ((choices @ value.T) * fits).max(0).values


torch.manual_seed(16)
model = Packer()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
test_size, test_value = problems(300)
best = best_values(test_size, test_value)
for update in range(1, 401):
    size, value = problems(64)
    gained, log_p, entropy = pack(model, size, value)
    advantage = (gained - gained.mean()) / (gained.std() + 1e-6)
    loss = -(advantage * log_p).mean() - 0.01 * entropy.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 80 == 0:
        print(f"update {update}: mean value {gained.mean().item():.3f}, loss {loss.item():.4f}")

with torch.no_grad():
    gained, _, _ = pack(model, test_size, test_value, greedy=True)
print(f"metric: {(gained / best).mean().item():.4f}")
