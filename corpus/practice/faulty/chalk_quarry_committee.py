"""Hardness of chalk from drilling records, predicted by a committee of networks with different seeds.

cause: evaluating-in-train-mode
begins: 281
family: mlp
metric: mean absolute error, lower
repair:
    - self.members = [build_member(n_columns) for _ in range(size)]
    + self.members = nn.ModuleList([build_member(n_columns) for _ in range(size)])
"""

import numpy as np
import torch
from sklearn.datasets import make_friedman2
from sklearn.preprocessing import StandardScaler
from torch import nn


def build_member(n_columns, width=96, p=0.4):
    return nn.Sequential(
        nn.Linear(n_columns, width),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Dropout(p),
        nn.Linear(width, 1),
    )


class Committee(nn.Module):
    """The mean of several networks; each learns from its own resampled rows."""

    def __init__(self, n_columns, size=4):
        super().__init__()
        self.members = [build_member(n_columns) for _ in range(size)]
        self.optimizers = [torch.optim.Adam(m.parameters(), lr=1.5e-3) for m in self.members]
        self.rows = None

    def resample(self, n):
        self.rows = [torch.randint(0, n, (n,)) for _ in self.members]

    def forward(self, x):
        return torch.stack([member(x).squeeze(1) for member in self.members]).mean(0)

    def fit_epoch(self, x, y, batch_size=40):
        self.train()
        losses = []
        for member, optimizer, rows in zip(self.members, self.optimizers, self.rows, strict=True):
            for idx in rows[torch.randperm(len(rows))].split(batch_size):
                loss = nn.functional.huber_loss(member(x[idx]).squeeze(1), y[idx])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return np.mean(losses)

    @torch.no_grad()
    def predict(self, x):
        self.eval()
        return self(x)


X, y = make_friedman2(n_samples=3600, noise=20.0, random_state=33)
X = StandardScaler().fit(X[:2800]).transform(X)
X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor(y / 100, dtype=torch.float32)
centre = y[:2800].mean()

torch.manual_seed(33)
committee = Committee(X.size(1))
committee.resample(2800)
for epoch in range(10):
    loss = committee.fit_epoch(X[:2800], y[:2800] - centre)
    off = (committee.predict(X[2800:]) + centre - y[2800:]).abs().mean().item()
    print(f"epoch {epoch + 1:2d}  loss {loss:.4f}  off by {off:.4f}")
print(f"metric: {off:.4f}")
