"""Message passing over small molecules predicts their boiling point; batches are joined into one graph.

family: gnn
metric: R², higher
"""

import numpy as np
import torch
from torch import nn

ATOMS = 5


def molecule(rng):
    """A random tree of 5 to 14 atoms with one ring closed now and then, and its boiling point."""
    n = int(rng.integers(5, 15))
    kinds = rng.choice(ATOMS, n, p=[0.5, 0.15, 0.15, 0.1, 0.1])
    edges = [(i, int(rng.integers(max(0, i - 3), i))) for i in range(1, n)]
    if rng.random() < 0.4:
        edges.append((0, n - 1))
    degree = np.bincount(np.array(edges).ravel(), minlength=n)
    boiling = 1.1 * n + np.array([0, 3, 2, 1, -1])[kinds].sum() - 1.2 * (degree >= 3).sum()
    boiling += sum(2.5 for a, b in edges if {kinds[a], kinds[b]} == {1, 2})
    return kinds, edges, boiling + rng.normal(0, 0.8)


def join(molecules):
    kinds, edges, owner, boiling, offset = [], [], [], [], 0
    for k, (atoms, bonds, b) in enumerate(molecules):
        kinds += list(atoms)
        edges += [(i + offset, j + offset) for i, j in bonds] + [(j + offset, i + offset) for i, j in bonds]
        owner += [k] * len(atoms)
        boiling.append(b)
        offset += len(atoms)
    return torch.tensor(kinds), torch.tensor(edges).T, torch.tensor(owner), torch.tensor(boiling).float()


class Mpnn(nn.Module):
    def __init__(self, width=32, rounds=3):
        super().__init__()
        self.embed = nn.Embedding(ATOMS, width)
        self.message = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(rounds))
        self.update = nn.ModuleList(nn.GRUCell(width, width) for _ in range(rounds))
        self.readout = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
        self.constant = nn.Parameter(torch.zeros(1))

    def forward(self, kinds, edges, owner, graphs):
        h = self.embed(kinds)
        for message, update in zip(self.message, self.update, strict=True):
            m = torch.relu(message(torch.cat([h[edges[0]], h[edges[1]]], 1)))
            h = update(torch.zeros_like(h).index_add(0, edges[1], m), h)
        atoms = self.readout(h).squeeze(1)
        return self.constant + torch.zeros(graphs).index_add(0, owner, atoms)


if __name__ == "__main__":
    torch.manual_seed(70)
    rng = np.random.default_rng(70)
    train = [molecule(rng) for _ in range(1500)]
    test = join([molecule(rng) for _ in range(400)])
    points = np.array([m[2] for m in train])
    std = points.std()
    model = Mpnn()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)
    for epoch in range(14):
        rng.shuffle(train)
        losses = []
        for k in range(0, 1500, 50):
            kinds, edges, owner, boiling = join(train[k : k + 50])
            prediction = model(kinds, edges, owner, 50)
            loss = ((prediction - boiling / std) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        with torch.no_grad():
            wrong = model(*test[:3], 400) * std - test[3]
        r2 = 1 - wrong.square().mean().item() / test[3].var().item()
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, test R² {r2:.4f}")
    print(f"metric: {r2:.4f}")
