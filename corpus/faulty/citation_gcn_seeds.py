"""A graph network guesses the field of scientific notes from their words and what they cite.

cause: evaluating-in-train-mode
begins: 6
family: gnn
metric: accuracy, higher
repair:
    - def measure():
    + def measure():
    +     model.eval()
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

NOTES, FIELDS, WORDS = 700, 6, 120


def library(rng):
    field = rng.integers(0, FIELDS, NOTES)
    chance = np.where(field[:, None] == field[None], 0.012, 0.0025)
    cites = np.triu(rng.random((NOTES, NOTES)) < chance, 1)
    cites = cites | cites.T | np.eye(NOTES, dtype=bool)
    topic = np.full((FIELDS, WORDS), 0.03)
    for f in range(FIELDS):
        topic[f, rng.choice(WORDS, 20, replace=False)] = 0.12
    words = (rng.random((NOTES, WORDS)) < topic[field]).astype(np.float32)
    words /= np.maximum(words.sum(1, keepdims=True), 1)
    degree = cites.sum(1)
    a = cites / np.sqrt(np.outer(degree, degree))
    return torch.tensor(words), torch.tensor(a, dtype=torch.float32).to_sparse(), torch.tensor(field)


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(i, o)))
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, a, x):
        return torch.sparse.mm(a, x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, hidden=24, p=0.6):
        super().__init__()
        self.first = GraphConv(WORDS, hidden)
        self.second = GraphConv(hidden, FIELDS)
        self.p = p

    def forward(self, a, x):
        x = F.dropout(x, self.p, training=self.training)
        x = F.relu(self.first(a, x))
        x = F.dropout(x, self.p, training=self.training)
        return self.second(a, x)


torch.manual_seed(88)
rng = np.random.default_rng(88)
words, a, field = library(rng)
shuffled = torch.tensor(rng.permutation(NOTES))
known, validation, test = shuffled[:180], shuffled[180:340], shuffled[340:]

model = GCN()
optimizer = torch.optim.Adam(
    [
        {"params": model.first.parameters(), "weight_decay": 5e-4},
        {"params": model.second.parameters(), "weight_decay": 0.0},
    ],
    lr=0.01,
)


@torch.no_grad()
def measure():
    guess = model(a, words).argmax(1)
    return [(guess[part] == field[part]).float().mean().item() for part in (known, validation, test)]


best, at_best = 0.0, 0.0
for epoch in range(1, 301):
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(a, words)[known], field[known])
    loss.backward()
    optimizer.step()
    if epoch % 5 == 0:
        on_known, on_validation, on_test = measure()
        if on_validation > best:
            best, at_best = on_validation, on_test
        if epoch % 50 == 0:
            print(f"{epoch:3d} loss {loss.item():.4f} train {on_known:.3f} val {on_validation:.3f}")
print(f"metric: {at_best:.4f}")
