"""Who wrote to whom: missing letters of an archive, found by a graph autoencoder over its correspondents.

cause: softmax-before-cross-entropy
family: gnn
metric: average precision, higher
repair:
    - return torch.sigmoid((z[pairs[0]] * self.scale * z[pairs[1]]).sum(-1) + self.shift)
    + return (z[pairs[0]] * self.scale * z[pairs[1]]).sum(-1) + self.shift
"""

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import nn

PEOPLE = 400


def archive(seed=9):
    rng = np.random.default_rng(seed)
    home = rng.normal(0, 1, (PEOPLE, 3))
    closeness = -((home[:, None] - home[None]) ** 2).sum(-1)
    industrious = rng.normal(0, 0.6, PEOPLE)
    logit = 1.8 * closeness + industrious[:, None] + industrious[None] + 0.6
    wrote = np.triu(rng.random((PEOPLE, PEOPLE)) < 1 / (1 + np.exp(-logit)), 1)
    edges = np.argwhere(wrote)
    traits = np.concatenate([home + rng.normal(0, 0.7, home.shape), rng.normal(0, 1, (PEOPLE, 5))], 1)
    return torch.from_numpy(rng.permutation(edges).T.copy()), torch.tensor(traits, dtype=torch.float32)


def normalised(edges):
    a = torch.eye(PEOPLE)
    a[edges[0], edges[1]] = a[edges[1], edges[0]] = 1.0
    d = a.sum(1).rsqrt()
    return d[:, None] * a * d[None]


class LetterEncoder(nn.Module):
    def __init__(self, d_in, hidden=48, code=12):
        super().__init__()
        self.layer1 = nn.Linear(d_in, hidden)
        self.layer2 = nn.Linear(hidden, code)
        self.scale = nn.Parameter(torch.ones(code))
        self.shift = nn.Parameter(torch.zeros(()))

    def encode(self, traits, a):
        return self.layer2(a @ torch.relu(self.layer1(a @ traits)))

    def decode(self, z, pairs):
        return torch.sigmoid((z[pairs[0]] * self.scale * z[pairs[1]]).sum(-1) + self.shift)


def others(n, present, generator):
    """Pairs of correspondents without a letter between them."""
    pairs = torch.randint(0, PEOPLE, (2, 2 * n), generator=generator)
    fine = (pairs[0] != pairs[1]) & ~present[pairs[0], pairs[1]]
    return pairs[:, fine][:, :n]


torch.manual_seed(9)
generator = torch.Generator().manual_seed(90)
edges, traits = archive()
present = torch.zeros(PEOPLE, PEOPLE, dtype=torch.bool)
present[edges[0], edges[1]] = present[edges[1], edges[0]] = True
n_test = edges.size(1) // 10
test_edges, train_edges = edges[:, :n_test], edges[:, n_test:]
test_pairs = torch.cat([test_edges, others(5 * n_test, present, generator)], 1)
test_truth = (torch.arange(test_pairs.size(1)) < n_test).numpy()
a = normalised(train_edges)

model = LetterEncoder(traits.size(1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(300):
    optimizer.zero_grad()
    negatives = others(5 * train_edges.size(1), present, generator)
    z = model.encode(traits, a)
    out = model.decode(z, torch.cat([train_edges, negatives], 1))
    truth = torch.cat([torch.ones(train_edges.size(1)), torch.zeros(negatives.size(1))])
    loss = criterion(out, truth)
    loss.backward()
    optimizer.step()
    if epoch % 50 == 49:
        with torch.no_grad():
            found = model.decode(model.encode(traits, a), test_pairs)
        precision = average_precision_score(test_truth, found.numpy())
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, average precision {precision:.4f}")

print(f"metric: {precision:.4f}")
