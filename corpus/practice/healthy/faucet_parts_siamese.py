"""A siamese net learns which photographs show the same faucet part; a hinge keeps the others apart.

family: siamese
metric: accuracy on pairs of unseen parts, higher
"""

import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SIDE = 18


class Part:
    """A silhouette in polar coordinates: a radius given by three cosines, and a bore."""

    def __init__(self, rng):
        self.amp = rng.uniform(-0.22, 0.22, 3)
        self.phase = rng.uniform(0, 2 * np.pi, 3)
        self.bore = rng.uniform(0, 0.35)

    def photo(self, rng):
        y, x = np.mgrid[0:SIDE, 0:SIDE] / (SIDE - 1) * 2 - 1
        x, y = x - rng.normal(0, 0.05), y - rng.normal(0, 0.05)
        theta, r = np.arctan2(y, x) + rng.normal(0, 0.1), np.hypot(x, y)
        edge = 0.6 + sum(
            a * np.cos((k + 1) * theta + p) for k, (a, p) in enumerate(zip(self.amp, self.phase, strict=True))
        )
        body = (1 / (1 + np.exp((r - edge) * 20))) - 1 / (1 + np.exp((r - self.bore) * 20))
        light = rng.uniform(0.7, 1.2)
        return (body * light + rng.normal(0, 0.08, body.shape)).astype(np.float32)


class Pairs(Dataset):
    def __init__(self, n_parts, photos, n_pairs, seed):
        rng = np.random.default_rng(seed)
        shots = np.stack(
            [[part.photo(rng) for _ in range(photos)] for part in (Part(rng) for _ in range(n_parts))]
        )
        self.shots = torch.from_numpy(shots).unsqueeze(2)
        pick = random.Random(seed)
        self.pairs = []
        for i in range(n_pairs):
            a = pick.randrange(n_parts)
            b = a if i % 2 else pick.choice([k for k in range(n_parts) if k != a])
            u, v = pick.sample(range(photos), 2)
            self.pairs.append((a, u, b, v))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        a, u, b, v = self.pairs[i]
        return self.shots[a, u], self.shots[b, v], torch.tensor(float(a == b))


class Embedder(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.PReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.PReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.fc = nn.Linear(32 * 9, dim)

    def forward_once(self, x):
        return self.fc(self.cnn(x).flatten(1))

    def forward(self, a, b):
        return F.pairwise_distance(self.forward_once(a), self.forward_once(b))


def contrastive_loss(distance, same, margin=2.0):
    return (same * distance**2 + (1 - same) * F.relu(margin - distance) ** 2).mean()


@torch.no_grad()
def pair_accuracy(net, loader, limit=1.0):
    net.eval()
    right = [((net(a, b) < limit) == (same > 0.5)).float() for a, b, same in loader]
    net.train()
    return torch.cat(right).mean().item()


if __name__ == "__main__":
    torch.manual_seed(7)
    train = DataLoader(Pairs(150, 8, 2400, seed=1), batch_size=40, shuffle=True)
    test = DataLoader(Pairs(60, 8, 1000, seed=2), batch_size=100)
    net = Embedder()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(8):
        total = 0.0
        for a, b, same in train:
            optimizer.zero_grad()
            loss = contrastive_loss(net(a, b), same)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"Epoch {epoch + 1}: {total / len(train):.4f}, unseen parts {pair_accuracy(net, test):.3f}")
    print(f"metric: {pair_accuracy(net, test):.4f}")
