"""A property of small molecules from their graphs, one molecule at a time, by sums over neighbours.

family: gnn
metric: R2, higher
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
torch.manual_seed(0)
KINDS = 4
WEIGHT = np.array([0.2, -0.6, 1.1, 0.5])


def molecule():
    n = rng.integers(5, 13)
    kind = rng.integers(0, KINDS, n)
    edges = [(i, rng.integers(max(0, i - 3), i)) for i in range(1, n)]
    ring = rng.integers(3, 7)
    if ring < n:
        edges.append((0, ring - 1))
    adjacency = np.zeros((n, n), np.float32)
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = 1
    degree = adjacency.sum(1)
    w = WEIGHT[kind]
    energy = (w + 0.5 * w * (adjacency @ w) - 0.15 * (degree - 2) ** 2).sum()
    x = torch.nn.functional.one_hot(torch.tensor(kind), KINDS).float()
    return x, torch.tensor(adjacency), float(energy)


train, test = [molecule() for _ in range(500)], [molecule() for _ in range(200)]
mean, std = np.mean([m[2] for m in train]), np.std([m[2] for m in train])


class Layer(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.mlp = nn.Sequential(
            nn.Linear(size, 32), nn.ReLU(), nn.Linear(32, 32), nn.LayerNorm(32), nn.ReLU()
        )

    def forward(self, x, adjacency):
        return self.mlp((1 + self.eps) * x + adjacency @ x)


class MoleculeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(KINDS), Layer(32)])
        self.out = nn.Linear(64, 1)

    def forward(self, x, adjacency):
        sums = []
        for layer in self.layers:
            x = layer(x, adjacency)
            sums.append(x.sum(0) / 8)
        return self.out(torch.cat(sums)).squeeze()


net = MoleculeNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 5, 0.3)
for epoch in range(8):
    total = 0.0
    for i in rng.permutation(len(train)):
        x, adjacency, energy = train[i]
        loss = nn.functional.smooth_l1_loss(net(x, adjacency), torch.tensor((energy - mean) / std).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(f"epoch {epoch} loss {total / len(train):.4f}")

with torch.no_grad():
    guess = np.array([net(x, a).item() * std + mean for x, a, _ in test])
truth = np.array([m[2] for m in test])
print("metric:", 1 - ((guess - truth) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())
