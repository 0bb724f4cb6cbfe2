"""Ratings of magazines by readers of a kiosk app: biased matrix factorisation with sparse gradients.

family: recommender
metric: rmse, lower
"""

import argparse

import numpy as np
import torch
from torch import nn


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--readers", type=int, default=600)
    p.add_argument("--magazines", type=int, default=250)
    p.add_argument("--ratings", type=int, default=30000)
    p.add_argument("--dim", type=int, default=8)
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--reg", type=float, default=0.04)
    return p.parse_args([])


def ratings(args, rng):
    taste = rng.normal(0, 0.55, (args.readers, 5))
    content = rng.normal(0, 0.8, (args.magazines, 5))
    generous, good = rng.normal(0, 0.35, args.readers), rng.normal(0, 0.5, args.magazines)
    weight = rng.permutation(1 / np.arange(1, args.magazines + 1) ** 0.7)
    u = rng.integers(0, args.readers, args.ratings)
    m = rng.choice(args.magazines, args.ratings, p=weight / weight.sum())
    r = 3.4 + generous[u] + good[m] + (taste[u] * content[m]).sum(1) + rng.normal(0, 0.5, args.ratings)
    return torch.tensor(u), torch.tensor(m), torch.tensor(r.clip(1, 5), dtype=torch.float32)


class BiasedMF(nn.Module):
    def __init__(self, users, items, dim, mean):
        super().__init__()
        self.P = nn.Embedding(users, dim, sparse=True)
        self.Q = nn.Embedding(items, dim, sparse=True)
        self.bu = nn.Embedding(users, 1, sparse=True)
        self.bi = nn.Embedding(items, 1, sparse=True)
        self.scale = nn.Parameter(torch.ones(dim))
        self.mu = nn.Parameter(torch.tensor(float(mean)))
        for table in (self.P, self.Q):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.bu, self.bi):
            nn.init.zeros_(table.weight)

    def forward(self, u, i):
        p, q = self.P(u), self.Q(i)
        bu, bi = self.bu(u).squeeze(-1), self.bi(i).squeeze(-1)
        penalty = (p**2).sum(1) + (q**2).sum(1) + bu**2 + bi**2
        return self.mu + bu + bi + (p * q * self.scale).sum(1), penalty.mean()


def main():
    args = parse()
    torch.manual_seed(14)
    u, m, r = ratings(args, np.random.default_rng(14))
    cut = int(0.85 * args.ratings)
    model = BiasedMF(args.readers, args.magazines, args.dim, r[:cut].mean())
    sparse = torch.optim.SparseAdam([t.weight for t in (model.P, model.Q, model.bu, model.bi)], lr=8e-3)
    dense = torch.optim.Adam([model.scale, model.mu], lr=1e-3)
    baseline = (r[cut:] - r[:cut].mean()).pow(2).mean().sqrt().item()
    print(f"the mean alone: {baseline:.4f}")
    for epoch in range(args.epochs):
        total = 0.0
        for batch in torch.randperm(cut).split(args.batch):
            predicted, penalty = model(u[batch], m[batch])
            error = (predicted - r[batch]).pow(2).mean()
            sparse.zero_grad()
            dense.zero_grad()
            (error + args.reg * penalty).backward()
            sparse.step()
            dense.step()
            total += error.item() * len(batch)
        with torch.no_grad():
            predicted, _ = model(u[cut:], m[cut:])
            rmse = (predicted.clamp(1, 5) - r[cut:]).pow(2).mean().sqrt().item()
        print(f"epoch {epoch + 1}: train {np.sqrt(total / cut):.4f}, test {rmse:.4f}")
    print(f"metric: {rmse:.4f}")


if __name__ == "__main__":
    main()
