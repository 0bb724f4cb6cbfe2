"""Burial of residues by their chain's graph of contacts.

cause: parameters-not-in-optimizer
family: gnn
metric: accuracy, higher
repair:
    - self.convs = [ContactConv(hidden, hidden) for _ in range(num_layers)]
    + self.convs = nn.ModuleList([ContactConv(hidden, hidden) for _ in range(num_layers)])
"""

import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

ACIDS = 20
HYDROPHOBIC = [0, 4, 7, 9, 10, 12, 17, 18]


def make_chain(rng, length=60):
    """A chain folded as a confined walk; the types of residue follow the place, loosely."""
    steps = rng.normal(size=(length, 3))
    position = np.zeros((length, 3))
    for i in range(1, length):
        step = steps[i] - 0.35 * position[i - 1]
        position[i] = position[i - 1] + step / np.linalg.norm(step)
    distance = np.linalg.norm(position[:, None] - position[None], axis=-1)
    contact = (distance < 1.35).astype(np.float32)
    np.fill_diagonal(contact, 0)
    depth = -np.linalg.norm(position - position.mean(0), axis=1)
    core = (depth > np.median(depth)).astype(np.int64)
    kinds = rng.integers(0, ACIDS, length)
    swap = rng.random(length) < 0.3
    kinds[swap & (core == 1)] = rng.choice(HYDROPHOBIC, (swap & (core == 1)).sum())
    return torch.tensor(kinds), torch.tensor(contact), torch.tensor(core)


class ContactConv(nn.Module):
    def __init__(self, in_dim, out_dim):
        super().__init__()
        self.lin_self = nn.Linear(in_dim, out_dim)
        self.lin_neigh = nn.Linear(in_dim, out_dim)

    def forward(self, h, adj):
        return F.relu(self.lin_self(h) + self.lin_neigh(adj @ h) * 0.3)


class BurialNet(nn.Module):
    def __init__(self, hidden=48, num_layers=3):
        super().__init__()
        self.embed = nn.Embedding(ACIDS, hidden)
        self.convs = [ContactConv(hidden, hidden) for _ in range(num_layers)]
        self.classifier = nn.Linear(hidden, 2)

    def forward(self, kinds, adj):
        h = self.embed(kinds)
        for conv in self.convs:
            h = conv(h, adj)
        return self.classifier(h)


def stack(chains):
    kinds, contacts, core = zip(*chains, strict=True)
    return torch.stack(kinds), torch.stack(contacts), torch.stack(core)


def main():
    random.seed(4)
    torch.manual_seed(4)
    rng = np.random.default_rng(4)
    chains = [make_chain(rng) for _ in range(700)]
    train, test = chains[:600], stack(chains[600:])
    model = BurialNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(20):
        random.shuffle(train)
        total = 0.0
        for i in range(0, len(train), 16):
            kinds, contacts, core = stack(train[i : i + 16])
            optimizer.zero_grad()
            loss = F.cross_entropy(model(kinds, contacts).flatten(0, 1), core.flatten())
            loss.backward()
            optimizer.step()
            total += loss.item()
        with torch.no_grad():
            accuracy = (model(*test[:2]).argmax(-1) == test[2]).float().mean().item()
        print(f"epoch {epoch + 1:2d} loss {total / 38:.4f} test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
