"""How well compounds dissolve, from their graph of atoms, with message passing.

cause: loss-broadcast
family: gnn
metric: root mean squared error, lower
repair:
    - loss = ((prediction - solubility) ** 2).mean()
    + loss = ((prediction.view(-1) - solubility) ** 2).mean()
"""

import numpy as np
import torch
from torch import nn

ATOMS = ["C", "N", "O", "S", "Cl"]


def compound(rng):
    """A random tree of atoms with a ring or two; polar atoms help, long chains of carbon do not."""
    n = int(rng.integers(6, 18))
    kind = rng.choice(len(ATOMS), n, p=[0.62, 0.12, 0.16, 0.05, 0.05])
    edges = [(int(rng.integers(max(0, i - 3), i)), i) for i in range(1, n)]
    rings = int(rng.integers(0, 3))
    edges += [tuple(int(v) for v in rng.choice(n, 2, replace=False)) for _ in range(rings)]
    bare = sum(1 for a, b in edges if kind[a] == 0 and kind[b] == 0)
    pairs = sum(1 for a, b in edges if {int(kind[a]), int(kind[b])} == {1, 2})
    polar = np.isin(kind, (1, 2)).sum()
    value = 0.55 * polar - 0.28 * bare - 0.4 * rings - 0.8 * pairs - 0.5 * (kind == 4).sum()
    return kind, edges, value + rng.normal(0, 0.15)


def collate(compounds):
    """One large graph of all the compounds: atoms, edges in both directions, whose atom it is."""
    kinds, source, target, owner, values, offset = [], [], [], [], [], 0
    for i, (kind, edges, value) in enumerate(compounds):
        kinds += kind.tolist()
        source += [offset + a for a, b in edges] + [offset + b for a, b in edges]
        target += [offset + b for a, b in edges] + [offset + a for a, b in edges]
        owner += [i] * len(kind)
        values.append(value)
        offset += len(kind)
    graph = tuple(torch.tensor(part) for part in (kinds, source, target, owner))
    return graph, torch.tensor(values, dtype=torch.float32)


class MessagePassing(nn.Module):
    def __init__(self, width=48, rounds=3):
        super().__init__()
        self.embed = nn.Embedding(len(ATOMS), width)
        self.message = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(rounds))
        self.update = nn.GRUCell(width, width)
        self.readout = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, graph):
        kinds, source, target, owner = graph
        h = self.embed(kinds)
        for layer in self.message:
            m = torch.relu(layer(torch.cat([h[source], h[target]], dim=1)))
            h = self.update(torch.zeros_like(h).index_add(0, target, m), h)
        size = int(owner.max()) + 1
        total = torch.zeros(size, h.shape[1]).index_add(0, owner, h)
        return self.readout(total / 10)


def main():
    rng = np.random.default_rng(90)
    torch.manual_seed(90)
    data = [compound(rng) for _ in range(2600)]
    mean = np.mean([value for *_, value in data[:2000]])
    data = [(kind, edges, value - mean) for kind, edges, value in data]
    train, test = data[:2000], collate(data[2000:])
    model = MessagePassing()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(10):
        model.train()
        total = 0.0
        order = rng.permutation(len(train))
        for i in range(0, len(train), 40):
            graph, solubility = collate([train[j] for j in order[i : i + 40]])
            prediction = model(graph)
            loss = ((prediction - solubility) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            rmse = (model(test[0]).view(-1) - test[1]).pow(2).mean().sqrt().item()
        print(f"epoch {epoch + 1:2d}  train loss {total / 50:.4f}  test rmse {rmse:.4f}")
    print(f"metric: {rmse:.4f}")


if __name__ == "__main__":
    main()
