"""Which books a reader borrows next: factors of readers and books, trained on pairs of books.

cause: decay-too-strong
family: recommender
metric: share of pairs in the right order, higher
repair:
    - {"params": factors, "weight_decay": 0.05},
    - {"params": offsets, "weight_decay": 0.0},
    + {"params": factors, "weight_decay": 1e-5},
    + {"params": offsets, "weight_decay": 0.0},
"""

import numpy as np
import torch
from torch import nn


def lending_desk(seed, readers=300, books=200, taste=4):
    rng = np.random.default_rng(seed)
    likes, genre = rng.normal(0, 1, (readers, taste)), rng.normal(0, 1, (books, taste))
    popular = rng.normal(0, 0.7, books)
    strength = 1.1 * likes @ genre.T / np.sqrt(taste) * 2 + popular
    borrowed = np.zeros((readers, books), dtype=bool)
    for reader in range(readers):
        chance = np.exp(strength[reader] - strength[reader].max())
        borrowed[reader, rng.choice(books, 30, replace=False, p=chance / chance.sum())] = True
    later = borrowed & (rng.random(borrowed.shape) < 0.2)
    return borrowed & ~later, later, borrowed


class Factors(nn.Module):
    def __init__(self, readers, books, rank=12):
        super().__init__()
        self.reader, self.book = nn.Embedding(readers, rank), nn.Embedding(books, rank)
        self.offset = nn.Embedding(books, 1)
        nn.init.normal_(self.reader.weight, std=0.1)
        nn.init.normal_(self.book.weight, std=0.1)
        nn.init.zeros_(self.offset.weight)

    def forward(self, reader, book):
        return (self.reader(reader) * self.book(book)).sum(1) + self.offset(book).squeeze(1)


def triples(positive, known, rng):
    readers, books = np.nonzero(positive)
    other = rng.integers(0, known.shape[1], len(readers))
    while (clash := known[readers, other]).any():
        other[clash] = rng.integers(0, known.shape[1], int(clash.sum()))
    return torch.from_numpy(np.stack([readers, books, other], 1))


def right_order(model, rows):
    model.eval()
    with torch.no_grad():
        return (model(rows[:, 0], rows[:, 1]) > model(rows[:, 0], rows[:, 2])).float().mean().item()


def train(epochs=40, batch=400):
    torch.manual_seed(8)
    rng = np.random.default_rng(8)
    past, later, ever = lending_desk(8)
    test = triples(later, ever, rng)
    model = Factors(*past.shape)
    factors, offsets = [model.reader.weight, model.book.weight], [model.offset.weight]
    optimizer = torch.optim.Adam(
        [
            {"params": factors, "weight_decay": 0.05},
            {"params": offsets, "weight_decay": 0.0},
        ],
        lr=0.01,
    )
    for epoch in range(1, epochs + 1):
        model.train()
        rows = triples(past, past, rng)
        total = 0.0
        for part in rows[torch.randperm(len(rows))].split(batch):
            reader, liked, other = part.T
            loss = -nn.functional.logsigmoid(model(reader, liked) - model(reader, other)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(part)
        if epoch % 5 == 0:
            print(f"epoch {epoch:2d}  loss {total / len(rows):.4f}  held out {right_order(model, test):.4f}")
    return right_order(model, test)


if __name__ == "__main__":
    print(f"metric: {train():.4f}")
