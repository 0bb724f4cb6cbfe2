"""Factors and biases for the stars that readers give to books, fitted with Adagrad.

cause: optimizer-recreated
family: recommender
metric: mean squared error, lower
repair:
    - for epoch in range(EPOCHS):
    - optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    + optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    + for epoch in range(EPOCHS):
"""

import numpy as np
import torch
from torch import nn

READERS, BOOKS, EPOCHS = 300, 200, 200


def reviews(rng, n, rank=3):
    a, b = rng.normal(0, 0.6, (READERS, rank)), rng.normal(0, 0.6, (BOOKS, rank))
    kind, good = rng.normal(0, 0.4, READERS), rng.normal(0, 0.4, BOOKS)
    r, k = rng.integers(0, READERS, n), rng.integers(0, BOOKS, n)
    stars = 3.4 + kind[r] + good[k] + (a[r] * b[k]).sum(1) + rng.normal(0, 0.3, n)
    return torch.tensor(r), torch.tensor(k), torch.tensor(np.clip(stars, 1, 5), dtype=torch.float32)


class Factors(nn.Module):
    def __init__(self, rank=3):
        super().__init__()
        self.reader = nn.Parameter(0.1 * torch.randn(READERS, rank))
        self.book = nn.Parameter(0.1 * torch.randn(BOOKS, rank))
        self.kind = nn.Parameter(torch.zeros(READERS))
        self.good = nn.Parameter(torch.zeros(BOOKS))
        self.mean = nn.Parameter(torch.tensor(3.0))

    def forward(self, r, k):
        taste = torch.einsum("nf,nf->n", self.reader[r], self.book[k])
        return self.mean + self.kind[r] + self.good[k] + taste


torch.manual_seed(3)
r, k, stars = reviews(np.random.default_rng(3), 14000)
train = slice(0, 12000)
test = slice(12000, None)
model = Factors()
for epoch in range(EPOCHS):
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.3)
    order = torch.randperm(12000)
    total = 0.0
    for rows in order.chunk(2):
        error = model(r[train][rows], k[train][rows]) - stars[train][rows]
        penalty = model.reader.square().mean() + model.book.square().mean()
        loss = error.square().mean() + 0.02 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 2
    if epoch % 40 == 39:
        print(f"epoch {epoch + 1:3d}  loss {total:.4f}")
with torch.no_grad():
    print(f"metric: {(model(r[test], k[test]) - stars[test]).square().mean().item():.4f}")
