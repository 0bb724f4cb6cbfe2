"""Wide and deep: clicks on banners (3 in 100 are clicked) from sparse categories and a few numbers.

family: recommender
metric: normalised entropy, lower
"""

import math

import numpy as np
import torch
from torch import nn

SIZES = {"site": 200, "banner": 120, "town": 60, "device": 4, "hour": 24}


def impressions(n, rng):
    effects = np.random.default_rng(1)
    columns, logit = [], np.full(n, -4.4)
    for size in SIZES.values():
        share = 1 / np.arange(1, size + 1)
        columns.append(rng.choice(size, n, p=share / share.sum()))
        logit += effects.normal(0, 0.5, size)[columns[-1]]
    match = effects.normal(0, 0.5, (8, 8))
    logit += match[columns[0] % 8, columns[1] % 8]
    shown = rng.poisson(2, n)
    logit += 0.7 * np.exp(-shown / 2)
    clicked = rng.random(n) < 1 / (1 + np.exp(-logit))
    dense = torch.tensor(np.log1p(shown)[:, None], dtype=torch.float32)
    return torch.tensor(np.stack(columns, 1)), dense, torch.tensor(clicked, dtype=torch.float32)


class WideDeep(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.wide = nn.ModuleList(nn.Embedding(size, 1) for size in SIZES.values())
        self.deep = nn.ModuleList(nn.Embedding(size, width) for size in SIZES.values())
        for table in self.wide:
            nn.init.zeros_(table.weight)
        for table in self.deep:
            nn.init.normal_(table.weight, std=0.05)
        self.mlp = nn.Sequential(nn.Linear(width * len(SIZES) + 1, 32), nn.ReLU(), nn.Linear(32, 1))
        self.bias = nn.Parameter(torch.tensor(-3.5))

    def forward(self, ids, dense):
        wide = sum(table(ids[:, k]) for k, table in enumerate(self.wide))
        deep = torch.cat([table(ids[:, k]) for k, table in enumerate(self.deep)] + [dense], 1)
        return (wide + self.mlp(deep)).squeeze(1) + self.bias


def entropy(p):
    return -(p * math.log(p) + (1 - p) * math.log(1 - p))


if __name__ == "__main__":
    torch.manual_seed(26)
    rng = np.random.default_rng(26)
    ids, dense, clicked = impressions(50000, rng)
    test_ids, test_dense, test_clicked = impressions(20000, rng)
    print(f"clicked: {clicked.mean():.4f}")
    model = WideDeep()
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.03)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(2):
        for k, rows in enumerate(torch.randperm(len(ids)).split(100)):
            loss = criterion(model(ids[rows], dense[rows]), clicked[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if k % 125 == 124:
                with torch.no_grad():
                    ne = criterion(model(test_ids, test_dense), test_clicked).item() / entropy(
                        test_clicked.mean().item()
                    )
                print(f"epoch {epoch} batch {k + 1}: loss {loss.item():.4f}, normalised entropy {ne:.4f}")
    print(f"metric: {ne:.4f}")
