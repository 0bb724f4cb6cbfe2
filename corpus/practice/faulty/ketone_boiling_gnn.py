"""Boiling points of small organic molecules from their graphs, by message passing on dense adjacency.

cause: loss-broadcast
family: gnn
metric: r2, higher
repair:
    - loss = F.smooth_l1_loss(model(x, adj, mask), y)
    + loss = F.smooth_l1_loss(model(x, adj, mask).squeeze(-1), y)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

ELEMENTS = ("C", "O", "N", "Cl")
VALENCE = (4, 2, 3, 1)
MAX_ATOMS = 12


def random_molecule(rng):
    """A tree of atoms that respects valences; the boiling point by a group contribution rule."""
    n = int(rng.integers(4, MAX_ATOMS + 1))
    kinds = [0]
    adj = np.zeros((MAX_ATOMS, MAX_ATOMS), dtype=np.float32)
    free = [VALENCE[0]]
    while len(kinds) < n:
        open_atoms = [i for i, f in enumerate(free) if f > 0]
        if not open_atoms:
            break
        host = int(rng.choice(open_atoms))
        kind = int(rng.choice(4, p=[0.7, 0.13, 0.1, 0.07])) if len(open_atoms) > 1 or free[host] > 1 else 0
        new = len(kinds)
        kinds.append(kind)
        double = kind == 1 and free[host] >= 2 and rng.random() < 0.5
        adj[host, new] = adj[new, host] = 2.0 if double else 1.0
        free[host] -= 2 if double else 1
        free.append(VALENCE[kind] - (2 if double else 1))
    kinds = np.array(kinds)
    degree = (adj > 0).sum(1)[: len(kinds)]
    ketone = ((adj == 2).sum() / 2) > 0
    hydroxyl = ((kinds == 1) & (degree == 1) & (adj.sum(1)[: len(kinds)] == 1)).sum()
    amine = ((kinds == 2) & (degree < 3)).sum()
    branch = (degree >= 3).sum()
    boiling = 180 + 26 * len(kinds) + 48 * hydroxyl + 27 * amine + 20 * (kinds == 3).sum() + 30 * ketone
    boiling = boiling - 9 * branch - 0.5 * len(kinds) ** 2 + rng.normal(0, 5)
    features = np.zeros((MAX_ATOMS, len(ELEMENTS) + 1), dtype=np.float32)
    features[np.arange(len(kinds)), kinds] = 1
    features[: len(kinds), -1] = degree / 4
    mask = (np.arange(MAX_ATOMS) < len(kinds)).astype(np.float32)
    return features, adj, mask, boiling


def make_set(n, seed):
    rng = np.random.default_rng(seed)
    x, adj, mask, y = zip(*(random_molecule(rng) for _ in range(n)), strict=True)
    return [torch.tensor(np.array(part), dtype=torch.float32) for part in (x, adj, mask, y)]


class MessagePassing(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.along_single = nn.Linear(width, width)
        self.along_double = nn.Linear(width, width)
        self.update = nn.GRUCell(width, width)

    def forward(self, h, adj):
        m = (adj == 1).float() @ self.along_single(h) + (adj == 2).float() @ self.along_double(h)
        return self.update(m.flatten(0, 1), h.flatten(0, 1)).view_as(h)


class BoilingNet(nn.Module):
    def __init__(self, width=32, rounds=3):
        super().__init__()
        self.start = nn.Linear(len(ELEMENTS) + 1, width)
        self.rounds = nn.ModuleList(MessagePassing(width) for _ in range(rounds))
        self.readout = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x, adj, mask):
        h = torch.tanh(self.start(x))
        for layer in self.rounds:
            h = layer(h, adj)
        pooled = (h * mask.unsqueeze(-1)).sum(1) / 4
        return self.readout(pooled)


if __name__ == "__main__":
    torch.manual_seed(29)
    train, test = make_set(1600, 29), make_set(400, 30)
    mean, std = train[3].mean(), train[3].std()
    model = BoilingNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(12):
        total = 0.0
        for idx in torch.randperm(1600).split(32):
            x, adj, mask, y = (part[idx] for part in train)
            y = (y - mean) / std
            optimizer.zero_grad()
            loss = F.smooth_l1_loss(model(x, adj, mask), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: train loss {total / 50:.4f}")
    x, adj, mask, y = test
    with torch.no_grad():
        kelvin = model(x, adj, mask)[:, 0] * std + mean
    residual = (kelvin - y).square().sum() / (y - y.mean()).square().sum()
    print(f"mean error {(kelvin - y).abs().mean().item():.1f} K")
    print(f"metric: {1 - residual.item():.4f}")
