"""What readers buy next from three thousand books: sparse tables under SparseAdam, the rest under Adam.

family: recommender
metric: AUC of bought against other books of the same popularity, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BOOKS, GENRES = 3000, 12
rng = np.random.default_rng(3)
torch.manual_seed(3)
genre = rng.integers(0, GENRES, BOOKS)
popular = 1 / (1 + np.arange(BOOKS)) ** 0.7
by_genre = []
for g in range(GENRES):
    p = popular * np.where(genre == g, 1.0, 0.0)
    by_genre.append(p / p.sum())


def purchases(readers):
    rows = []
    for _ in range(readers):
        tastes = rng.choice(GENRES, 2, replace=False)
        mixture = 0.6 * by_genre[tastes[0]] + 0.35 * by_genre[tastes[1]] + 0.05 * popular / popular.sum()
        rows.append(rng.choice(BOOKS, 9, p=mixture))
    return torch.tensor(np.array(rows))


train, test = purchases(6000), purchases(1000)


class NextBook(nn.Module):
    def __init__(self, size=24):
        super().__init__()
        self.history = nn.EmbeddingBag(BOOKS, size, mode="mean", sparse=True)
        self.books = nn.Embedding(BOOKS, size, sparse=True)
        self.bias = nn.Embedding(BOOKS, 1, sparse=True)
        nn.init.normal_(self.history.weight, std=0.1)
        nn.init.normal_(self.books.weight, std=0.1)
        nn.init.zeros_(self.bias.weight)
        self.mix = nn.Sequential(nn.Linear(size, 48), nn.ReLU(), nn.Linear(48, size))

    def score(self, bags, items):
        reader = self.history(bags)
        reader = reader + self.mix(reader)
        return torch.einsum("bd,bnd->bn", reader, self.books(items)) + self.bias(items).squeeze(-1)


model = NextBook()
sparse = torch.optim.SparseAdam(
    [*model.history.parameters(), *model.books.parameters(), *model.bias.parameters()], 0.01
)
dense = torch.optim.Adam(model.mix.parameters(), lr=2e-3)


def auc():
    with torch.no_grad():
        scores = model.score(test[:, :8], torch.stack([test[:, 8], test[:, 8].roll(1)], 1))
    return (scores[:, 0] > scores[:, 1]).float().mean().item() + 0.5 * (
        scores[:, 0] == scores[:, 1]
    ).float().mean().item()


drawn = torch.tensor(popular / popular.sum())
for epoch in range(10):
    total, batches = 0.0, 0
    for rows in torch.randperm(len(train)).split(128):
        basket = train[rows][:, torch.randperm(9)]
        items = torch.cat([basket[:, 8:], torch.multinomial(drawn, len(rows) * 10, True).view(-1, 10)], 1)
        scores = model.score(basket[:, :8], items)
        loss = F.cross_entropy(scores, torch.zeros(len(rows), dtype=torch.long))
        sparse.zero_grad()
        dense.zero_grad()
        loss.backward()
        sparse.step()
        dense.step()
        total, batches = total + loss.item(), batches + 1
    print(f"epoch {epoch} loss {total / batches:.3f} auc {auc():.4f}")
print("metric:", auc())
