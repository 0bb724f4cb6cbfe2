"""Implicit feedback: listeners and podcasts in one space, Bayesian personalised ranking.

family: recommender
metric: area under the curve on held-out listens relative to the true tastes' own, higher
"""

import numpy as np
import torch
from torch import nn

LISTENERS, SHOWS, DIM = 400, 300, 6
rng = np.random.default_rng(17)
taste = rng.standard_normal((LISTENERS, DIM))
character = rng.standard_normal((SHOWS, DIM))
popularity = rng.standard_normal(SHOWS) * 0.7
liking = taste @ character.T + popularity
played = np.argsort(-(liking + 0.8 * rng.gumbel(size=liking.shape)), axis=1)[:, :40]
for row in played:
    rng.shuffle(row)
train, test = played[:, :32], played[:, 32:]
seen = np.zeros((LISTENERS, SHOWS), dtype=bool)
np.put_along_axis(seen, played, True, axis=1)


class Ranker(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.listener = nn.Embedding(LISTENERS, dim)
        self.show = nn.Embedding(SHOWS, dim)
        self.appeal = nn.Embedding(SHOWS, 1)
        nn.init.normal_(self.listener.weight, std=0.1)
        nn.init.normal_(self.show.weight, std=0.1)
        nn.init.zeros_(self.appeal.weight)

    def forward(self, listener, show):
        return (self.listener(listener) * self.show(show)).sum(-1) + self.appeal(show).squeeze(-1)

    def size(self, *rows):
        return sum(r.pow(2).sum(1).mean() for r in rows)


def auc(scores):
    """Chance that a held-out listen stands above a show never played."""
    total = 0.0
    for u in range(LISTENERS):
        never = scores[u, ~seen[u]]
        total += (scores[u, test[u], None] > never).mean()
    return total / LISTENERS


def main():
    torch.manual_seed(17)
    model = Ranker()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
    users = torch.arange(LISTENERS).repeat_interleave(32)
    liked = torch.from_numpy(train.reshape(-1).copy())
    for epoch in range(12):
        order = torch.randperm(len(users))
        other = torch.randint(0, SHOWS, (len(users),))
        mean = 0.0
        for rows in order.split(128):
            u, i, j = users[rows], liked[rows], other[rows]
            rank = -nn.functional.logsigmoid(model(u, i) - model(u, j)).mean()
            loss = rank + 0.01 * model.size(model.listener(u), model.show(i), model.show(j))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean += rank.item() / 100
        with torch.no_grad():
            scores = model.listener.weight @ model.show.weight.t() + model.appeal.weight.t()
        print(f"epoch {epoch + 1:2d} loss {mean:.4f} auc {auc(scores.numpy()):.4f}")
    print(f"true tastes {auc(liking):.4f}")
    print(f"metric: {auc(scores.numpy()) / auc(liking):.4f}")


if __name__ == "__main__":
    main()
