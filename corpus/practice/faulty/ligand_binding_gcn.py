"""How strongly a ligand binds, from its graph: an assay of a few dozen compounds.

cause: overfitting
family: gnn
metric: mse, lower
repair:
    - graphs, affinity = assay(60, seed=1)
    + graphs, affinity = assay(900, seed=1)
    - for epoch in range(300):
    + for epoch in range(20):
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

NODES, KINDS = 12, 8


def assay(n, seed):
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, KINDS, (n, NODES), generator=g)
    x = F.one_hot(kinds, KINDS).float()
    a = (torch.rand(n, NODES, NODES, generator=g) < 0.12).float().triu(1)
    chain = torch.diag(torch.ones(NODES - 1), 1)
    a = ((a + chain) > 0).float()
    a = a + a.transpose(1, 2)
    donor, acceptor, ring = x[..., 0], x[..., 1], x[..., 2]
    touching = torch.einsum("bi,bij,bj->b", donor, a, acceptor)
    affinity = 0.6 * touching + 0.5 * (ring * a.sum(2)).sum(1) / 3 + 0.3 * acceptor.sum(1)
    affinity = affinity + 0.35 * torch.randn(n, generator=g)
    return (x, a), affinity


class BindingGCN(nn.Module):
    def __init__(self, width=96, layers=3):
        super().__init__()
        sizes = [KINDS] + [width] * layers
        self.own = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.near = nn.ModuleList(nn.Linear(i, o, bias=False) for i, o in pairwise(sizes))
        self.head = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, x, a):
        for own, near in zip(self.own, self.near, strict=True):
            x = F.relu(own(x) + a @ near(x) / 2)
        return self.head(x.mean(dim=1)).squeeze(1)


def test_error(model, x, a, y):
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(x, a), y).item()


torch.manual_seed(33)
graphs, affinity = assay(60, seed=1)
test_graphs, test_affinity = assay(400, seed=2)
mean, std = affinity.mean(), affinity.std()
affinity, test_affinity = (affinity - mean) / std, (test_affinity - mean) / std

model = BindingGCN()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(300):
    model.train()
    total, batches = 0.0, torch.randperm(len(affinity)).split(20)
    for batch in batches:
        loss = F.mse_loss(model(graphs[0][batch], graphs[1][batch]), affinity[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 25 == 24 or epoch == 0:
        error = test_error(model, *test_graphs, test_affinity)
        print(f"epoch {epoch + 1}: train mse {total / len(batches):.4f}, test mse {error:.4f}")
print(f"metric: {test_error(model, *test_graphs, test_affinity):.4f}")
