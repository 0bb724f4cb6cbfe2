"""Which radio shows a listener plays, neural collaborative filtering on sampled negatives.

family: recommender
metric: hit rate at 10, higher
"""

import numpy as np
import torch
from torch import nn

LISTENERS, SHOWS = 500, 400


def plays(rng):
    taste, style = rng.normal(size=(LISTENERS, 5)), rng.normal(size=(SHOWS, 5))
    popular = -0.9 * np.log(1 + np.arange(SHOWS)) + 3
    scores = 1.3 * taste @ style.T + popular + rng.gumbel(0, 1, (LISTENERS, SHOWS))
    chosen = np.argsort(-scores, axis=1)[:, :31]
    for row in chosen:
        rng.shuffle(row)
    listeners = np.repeat(np.arange(LISTENERS), 30)
    return np.column_stack([listeners, chosen[:, :30].ravel()]), chosen


class NeuralCF(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.listener_mf, self.show_mf = nn.Embedding(LISTENERS, dim), nn.Embedding(SHOWS, dim)
        self.listener_mlp, self.show_mlp = nn.Embedding(LISTENERS, dim), nn.Embedding(SHOWS, dim)
        for table in (self.listener_mf, self.show_mf, self.listener_mlp, self.show_mlp):
            nn.init.normal_(table.weight, std=0.05)
        self.mlp = nn.Sequential(nn.Linear(2 * dim, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.out = nn.Linear(dim + 16, 1)

    def forward(self, listener, show):
        product = self.listener_mf(listener) * self.show_mf(show)
        deep = self.mlp(torch.cat([self.listener_mlp(listener), self.show_mlp(show)], -1))
        return self.out(torch.cat([product, deep], -1)).squeeze(-1)


def hit_rate(model, chosen):
    model.eval()
    with torch.no_grad():
        everyone = torch.arange(LISTENERS).repeat_interleave(SHOWS)
        shows = torch.arange(SHOWS).repeat(LISTENERS)
        scores = model(everyone, shows).view(LISTENERS, SHOWS)
    scores.scatter_(1, torch.from_numpy(chosen[:, :30]), -1e9)
    top = scores.topk(10).indices
    return (top == torch.from_numpy(chosen[:, 30:])).any(1).float().mean().item()


def main():
    torch.manual_seed(45)
    rng = np.random.default_rng(45)
    pairs, chosen = plays(rng)
    pairs = torch.from_numpy(pairs)
    model = NeuralCF()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-6)
    for epoch in range(8):
        model.train()
        total, batches = 0.0, torch.randperm(len(pairs)).split(128)
        for rows in batches:
            listener, show = pairs[rows].T
            negatives = torch.randint(0, SHOWS, (4 * len(rows),))
            users = torch.cat([listener, listener.repeat(4)])
            labels = torch.cat([torch.ones(len(rows)), torch.zeros(4 * len(rows))])
            loss = nn.functional.binary_cross_entropy_with_logits(
                model(users, torch.cat([show, negatives])), labels
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / len(batches)
        print(f"epoch {epoch}: loss {total:.4f}, hit rate {hit_rate(model, chosen):.4f}")
    print(f"metric: {hit_rate(model, chosen):.4f}")


if __name__ == "__main__":
    main()
