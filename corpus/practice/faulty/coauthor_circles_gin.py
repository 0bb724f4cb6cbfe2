"""What kind of circle a group of authors is, from who has written with whom: a graph isomorphism network.

cause: training-in-eval-mode
family: gnn
metric: accuracy, higher
repair:
    - loss_sum, seen = 0.0, 0
    + model.train()
    + loss_sum, seen = 0.0, 0
"""

import numpy as np
import torch
import torch.nn as nn

PEOPLE = 24
CIRCLES = ["laboratory", "school", "loose field", "two camps", "chain of teams"]


def circle(kind, rng):
    a = np.zeros((PEOPLE, PEOPLE))
    if kind == 0:  # a few professors with whom nearly everyone writes
        heads = rng.choice(PEOPLE, 3, replace=False)
        a[heads] = rng.random((3, PEOPLE)) < 0.7
        a += rng.random(a.shape) < 0.04
    elif kind == 1:  # newcomers join those who are known
        for i in range(2, PEOPLE):
            weight = a[:i, :i].sum(1) + 1
            a[i, rng.choice(i, min(i, 3), replace=False, p=weight / weight.sum())] = 1
            a = np.maximum(a, a.T)
    elif kind == 2:
        a += rng.random(a.shape) < 0.12
    elif kind == 3:
        camp = rng.permutation(PEOPLE) % 2
        a += rng.random(a.shape) < np.where(camp[:, None] == camp, 0.22, 0.01)
    else:
        team = np.arange(PEOPLE) // 4
        a += (team[:, None] == team) & (rng.random(a.shape) < 0.6)
        a += (np.abs(team[:, None] - team) == 1) & (rng.random(a.shape) < 0.06)
    a = np.maximum(a, a.T)
    np.fill_diagonal(a, 0)
    return (a > 0).astype(np.float32)


def circles(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(CIRCLES), n)
    return torch.from_numpy(np.stack([circle(k, rng) for k in kinds])), torch.from_numpy(kinds)


class GINLayer(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.lin1, self.bn1 = nn.Linear(d_in, d_out), nn.BatchNorm1d(d_out)
        self.lin2, self.bn2 = nn.Linear(d_out, d_out), nn.BatchNorm1d(d_out)

    def forward(self, h, adj):
        h = (1 + self.eps) * h + adj @ h
        shape = h.shape[:2]
        h = torch.relu(self.bn1(self.lin1(h.flatten(0, 1))))
        h = torch.relu(self.bn2(self.lin2(h)))
        return h.unflatten(0, shape)


class GIN(nn.Module):
    def __init__(self, width=32, depth=4, n_classes=5):
        super().__init__()
        self.layers = nn.ModuleList(GINLayer(1 if i == 0 else width, width) for i in range(depth))
        self.readout = nn.Linear(width, n_classes)

    def forward(self, adj):
        h = adj.sum(-1, keepdim=True)
        for layer in self.layers:
            h = layer(h, adj)
        return self.readout(h.sum(1))


def get_model(weights=None):
    model = GIN()
    if weights is not None:
        model.load_state_dict(weights)
    return model.eval()


def accuracy(model, adj, kinds):
    with torch.no_grad():
        return (model.eval()(adj).argmax(-1) == kinds).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(5)
    train_adj, train_kinds = circles(1500, 1)
    test_adj, test_kinds = circles(500, 2)
    model = get_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(8):
        loss_sum, seen = 0.0, 0
        for idx in torch.randperm(1500).split(30):
            loss = nn.functional.cross_entropy(model(train_adj[idx]), train_kinds[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum, seen = loss_sum + loss.item() * len(idx), seen + len(idx)
        test_acc = accuracy(model, test_adj, test_kinds)
        print(f"epoch {epoch + 1}: train loss {loss_sum / seen:.4f}, test accuracy {test_acc:.4f}")
    print(f"metric: {test_acc:.4f}")
