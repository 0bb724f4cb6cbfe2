"""How much visitors like museums: matrix factorisation with biases.

cause: symmetric-initial-values
family: recommender
metric: root mean squared error, lower
repair:
    - self.P = nn.Parameter(torch.full((n_users, k), 0.1))
    - self.Q = nn.Parameter(torch.full((n_items, k), 0.1))
    + self.P = nn.Parameter(0.1 * torch.randn(n_users, k))
    + self.Q = nn.Parameter(0.1 * torch.randn(n_items, k))
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(30)
n_users, n_items, n = 500, 200, 30000
taste_u, taste_i = rng.normal(size=(n_users, 4)), rng.normal(size=(n_items, 4))
users, items = rng.integers(n_users, size=n), rng.integers(n_items, size=n)
scores = 6.5 + 0.6 * rng.normal(size=n_users)[users] + 0.8 * rng.normal(size=n_items)[items]
scores += 0.6 * (taste_u[users] * taste_i[items]).sum(1) + 0.3 * rng.normal(size=n)

users, items = torch.from_numpy(users), torch.from_numpy(items)
scores = torch.from_numpy(scores).float()
train, test = slice(0, 26000), slice(26000, None)


class FactorModel(nn.Module):
    def __init__(self, n_users, n_items, k, mean):
        super().__init__()
        self.P = nn.Parameter(torch.full((n_users, k), 0.1))
        self.Q = nn.Parameter(torch.full((n_items, k), 0.1))
        self.bu = nn.Parameter(torch.zeros(n_users))
        self.bi = nn.Parameter(torch.zeros(n_items))
        self.mean = mean

    def forward(self, u, i):
        return self.mean + self.bu[u] + self.bi[i] + (self.P[u] * self.Q[i]).sum(-1)


def rmse(model):
    with torch.no_grad():
        return (model(users[test], items[test]) - scores[test]).pow(2).mean().sqrt().item()


torch.manual_seed(30)
model = FactorModel(n_users, n_items, 8, scores[train].mean())
opt = torch.optim.Adam(model.parameters(), lr=0.01)
print(f"before training: {rmse(model):.4f}")
for epoch in range(12):
    for batch in torch.randperm(26000).split(200):
        opt.zero_grad()
        error = model(users[batch], items[batch]) - scores[batch]
        loss = error.pow(2).mean() + 1e-4 * (model.P.pow(2).sum(1).mean() + model.Q.pow(2).sum(1).mean())
        loss.backward()
        opt.step()
    print(f"epoch {epoch}: test rmse {rmse(model):.4f}")
print(f"metric: {rmse(model):.4f}")
