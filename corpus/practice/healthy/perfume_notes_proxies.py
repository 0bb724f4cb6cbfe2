"""Perfume houses from the mixture of notes: normalised embeddings against one learned proxy for each house.

family: embedding
metric: accuracy of the nearest neighbour, higher
"""

import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ProxyLoss(nn.Module):
    def __init__(self, classes, dim, scale=12.0):
        super().__init__()
        self.proxies = nn.Parameter(torch.randn(classes, dim) / math.sqrt(dim))
        self.scale = scale

    def forward(self, e, y):
        cosines = nn.functional.normalize(e, dim=1) @ nn.functional.normalize(self.proxies, dim=1).T
        return nn.functional.cross_entropy(self.scale * cosines, y)


def perfumes(n, houses=24, notes=80, seed=0):
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.full(notes, 0.12), (houses, 2))  # two lines of perfumes in each house
    house = rng.integers(0, houses, n)
    line = rng.integers(0, 2, n)
    common = rng.dirichlet(np.full(notes, 0.5))
    share = 0.4 * taste[house, line] + 0.6 * common
    counts = np.stack([rng.multinomial(rng.integers(10, 26), p / p.sum()) for p in share])
    return torch.tensor(np.log1p(counts), dtype=torch.float32), torch.tensor(house)


def main():
    torch.manual_seed(13)
    x, y = perfumes(5200)
    train_x, train_y, test_x, test_y = x[:4000], y[:4000], x[4000:], y[4000:]
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=80, shuffle=True)
    encoder = nn.Sequential(
        nn.Linear(80, 160), nn.BatchNorm1d(160), nn.ReLU(), nn.Dropout(0.4), nn.Linear(160, 48)
    )
    criterion = ProxyLoss(24, 48)
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder.parameters(), "lr": 1e-3},
            {"params": criterion.parameters(), "lr": 1e-2, "weight_decay": 0.0},
        ],
        weight_decay=0.02,
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [12, 17], 0.3)
    for epoch in range(20):
        encoder.train()
        total = 0.0
        for xb, yb in loader:
            loss = criterion(encoder(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        schedule.step()
        encoder.eval()
        with torch.no_grad():
            known = nn.functional.normalize(encoder(train_x), dim=1)
            asked = nn.functional.normalize(encoder(test_x), dim=1)
            near = (asked @ known.T).topk(9).indices
        votes = train_y[near].mode(1).values
        accuracy = (votes == test_y).float().mean().item()
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: loss {total / len(loader):.3f}, nearest neighbours {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
