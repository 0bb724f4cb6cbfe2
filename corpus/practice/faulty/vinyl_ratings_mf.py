"""Ratings of records in a collectors' club, by matrix factorisation with biases.

cause: underfitting
family: recommender
metric: mse, lower
repair:
    - model = MF(N_USERS, N_RECORDS, k=1)
    + model = MF(N_USERS, N_RECORDS, k=8)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

N_USERS, N_RECORDS = 300, 200
np.random.seed(0)
torch.manual_seed(0)


class Ratings(Dataset):
    def __init__(self, u, r, stars):
        self.u, self.r, self.stars = u, r, stars

    def __len__(self):
        return len(self.u)

    def __getitem__(self, i):
        return self.u[i], self.r[i], self.stars[i]


class MF(nn.Module):
    def __init__(self, n_users, n_items, k):
        super().__init__()
        self.p = nn.Embedding(n_users, k)
        self.q = nn.Embedding(n_items, k)
        self.bu = nn.Embedding(n_users, 1)
        self.bi = nn.Embedding(n_items, 1)
        self.mu = nn.Parameter(torch.tensor(3.0))
        for e in (self.p, self.q, self.bu, self.bi):
            nn.init.normal_(e.weight, std=0.1)

    def forward(self, u, i):
        dot = (self.p(u) * self.q(i)).sum(1)
        return self.mu + self.bu(u).squeeze(1) + self.bi(i).squeeze(1) + dot


def make():
    taste, style = np.random.randn(N_USERS, 6), np.random.randn(N_RECORDS, 6)
    full = (
        3.2 + 0.3 * np.random.randn(N_USERS, 1) + 0.3 * np.random.randn(1, N_RECORDS) + 0.45 * taste @ style.T
    )
    u, r = np.nonzero(np.random.rand(N_USERS, N_RECORDS) < 0.4)
    stars = np.clip(full[u, r] + 0.3 * np.random.randn(len(u)), 0.5, 5.5).astype(np.float32)
    mask = np.random.rand(len(u)) < 0.85
    return Ratings(u[mask], r[mask], stars[mask]), Ratings(u[~mask], r[~mask], stars[~mask])


train_set, test_set = make()
train_loader = DataLoader(train_set, batch_size=256, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1024)
model = MF(N_USERS, N_RECORDS, k=1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)
criterion = nn.MSELoss()

for epoch in range(14):
    model.train()
    train_loss = 0
    for u, r, stars in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(u, r), stars)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() / len(train_loader)
    model.eval()
    with torch.no_grad():
        errors = [((model(u, r) - stars) ** 2) for u, r, stars in test_loader]
    test_loss = torch.cat(errors).mean().item()
    print(f"epoch {epoch}: train {train_loss:.4f} test {test_loss:.4f}")

print(f"metric: {test_loss:.4f}")
