"""Matrix factors with biases for a cheese club's ratings; most members have rated a handful.

family: recommender
metric: root mean squared error, lower
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(90)
torch.manual_seed(90)

MEMBERS, CHEESES, RANK = 500, 150, 3
taste = rng.normal(0, 0.45, (MEMBERS, RANK))
style = rng.normal(0, 1.0, (CHEESES, RANK))
kindness, quality = rng.normal(0, 0.4, MEMBERS), rng.normal(0, 0.5, CHEESES)

eagerness = rng.pareto(1.5, MEMBERS) + 0.5
fame = rng.pareto(1.2, CHEESES) + 0.5
member = rng.choice(MEMBERS, 20000, p=eagerness / eagerness.sum())
cheese = rng.choice(CHEESES, 20000, p=fame / fame.sum())
_, first = np.unique(member * CHEESES + cheese, return_index=True)
rng.shuffle(first)
member, cheese = member[first], cheese[first]
stars = 3.3 + kindness[member] + quality[cheese] + (taste[member] * style[cheese]).sum(1)
stars = np.clip(stars + rng.normal(0, 0.6, len(member)), 0.5, 5)

member, cheese = torch.tensor(member), torch.tensor(cheese)
stars = torch.tensor(stars, dtype=torch.float32)
cut = int(0.85 * len(stars))


class Factors(nn.Module):
    def __init__(self, members, cheeses, rank=8):
        super().__init__()
        self.p = nn.Embedding(members, rank)
        self.q = nn.Embedding(cheeses, rank)
        self.bp = nn.Embedding(members, 1)
        self.bq = nn.Embedding(cheeses, 1)
        self.mean = nn.Parameter(torch.tensor(3.3))
        nn.init.normal_(self.p.weight, std=0.1)
        nn.init.normal_(self.q.weight, std=0.1)
        nn.init.zeros_(self.bp.weight)
        nn.init.zeros_(self.bq.weight)

    def forward(self, m, c):
        return self.mean + self.bp(m)[:, 0] + self.bq(c)[:, 0] + (self.p(m) * self.q(c)).sum(1)

    def penalty(self, m, c):
        return (self.p(m) ** 2).sum(1) + (self.q(c) ** 2).sum(1) + (self.bp(m) ** 2 + self.bq(c) ** 2)[:, 0]


model = Factors(MEMBERS, CHEESES)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(16):
    losses = []
    for rows in torch.randperm(cut).split(128):
        error = model(member[rows], cheese[rows]) - stars[rows]
        loss = (error**2).mean() + 0.05 * model.penalty(member[rows], cheese[rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        rmse = (model(member[cut:], cheese[cut:]) - stars[cut:]).square().mean().sqrt().item()
    print(f"epoch {epoch:2d}  loss {np.mean(losses):.4f}  held-out RMSE {rmse:.4f}")

print(f"metric: {rmse:.4f}")
