"""Ratings of movies: users and movies as short vectors with biases.

family: recommender
metric: rmse, lower
"""

import numpy as np
import torch
from torch import nn


def ratings(users=600, movies=300, rank=3, count=30000, seed=0):
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0, 0.7, (users, rank)), rng.normal(0, 0.7, (movies, rank))
    bu, bm = rng.normal(0, 0.4, users), rng.normal(0, 0.5, movies)
    popularity = 1 / np.arange(1, movies + 1) ** 0.6
    u = rng.integers(0, users, count)
    m = rng.choice(movies, count, p=popularity / popularity.sum())
    r = 3.4 + bu[u] + bm[m] + (p[u] * q[m]).sum(1) + rng.normal(0, 0.5, count)
    return torch.tensor(u), torch.tensor(m), torch.tensor(r, dtype=torch.float32)


class Factorisation(nn.Module):
    def __init__(self, users, movies, rank, mean):
        super().__init__()
        self.user = nn.Embedding(users, rank, sparse=True)
        self.movie = nn.Embedding(movies, rank, sparse=True)
        self.user_bias = nn.Embedding(users, 1, sparse=True)
        self.movie_bias = nn.Embedding(movies, 1, sparse=True)
        self.mean = mean
        for table in (self.user, self.movie):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.movie_bias.weight)

    def forward(self, u, m):
        dot = (self.user(u) * self.movie(m)).sum(1)
        return self.mean + dot + self.user_bias(u).squeeze(1) + self.movie_bias(m).squeeze(1)

    def penalty(self, u, m):
        rows = [self.user(u), self.movie(m), self.user_bias(u), self.movie_bias(m)]
        return sum(row.square().sum(1).mean() for row in rows)


torch.manual_seed(0)
u, m, r = ratings()
split = 26000
mean = r[:split].mean().item()
model = Factorisation(600, 300, 4, mean)
optimizer = torch.optim.SGD(model.parameters(), lr=8.0)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.93)

for epoch in range(24):
    shuffled = torch.randperm(split)
    squared = 0.0
    for pick in shuffled.split(512):
        error = model(u[pick], m[pick]) - r[pick]
        loss = error.square().mean() + 0.04 * model.penalty(u[pick], m[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        squared += error.square().sum().item()
    scheduler.step()
    with torch.no_grad():
        held_out = (model(u[split:], m[split:]) - r[split:]).square().mean().sqrt().item()
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d} train rmse {(squared / split) ** 0.5:.4f} held out {held_out:.4f}")

print(f"metric: {held_out:.4f}")
