"""Matrix factorisation of a cooking school's course ratings.

cause: symmetric-initial-values
family: recommender
metric: rmse, lower
repair:
    - nn.init.constant_(self.user_factors.weight, 0.1)
    - nn.init.constant_(self.item_factors.weight, 0.1)
    + nn.init.normal_(self.user_factors.weight, 0.0, 0.1)
    + nn.init.normal_(self.item_factors.weight, 0.0, 0.1)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(77)
torch.manual_seed(77)

n_users, n_courses, rank = 300, 120, 4
taste = rng.normal(0, 1, (n_users, rank))
course = rng.normal(0, 1, (n_courses, rank))
pairs = rng.choice(n_users * n_courses, 14000, replace=False)
users, courses = pairs // n_courses, pairs % n_courses
ratings = 5.5 + 0.5 * rng.normal(0, 1, n_courses)[courses] + (taste[users] * course[courses]).sum(1)
ratings = np.clip(ratings + rng.normal(0, 0.4, len(pairs)), 1, 10)

u, c, r = torch.tensor(users), torch.tensor(courses), torch.tensor(ratings, dtype=torch.float32)
n_train = 12000
train_loader = DataLoader(TensorDataset(u[:n_train], c[:n_train], r[:n_train]), batch_size=128, shuffle=True)


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors=8, mean=0.0):
        super().__init__()
        self.mean = mean
        self.user_factors = nn.Embedding(n_users, n_factors)
        self.item_factors = nn.Embedding(n_items, n_factors)
        self.user_bias = nn.Embedding(n_users, 1)
        self.item_bias = nn.Embedding(n_items, 1)
        nn.init.constant_(self.user_factors.weight, 0.1)
        nn.init.constant_(self.item_factors.weight, 0.1)
        nn.init.zeros_(self.user_bias.weight)
        nn.init.zeros_(self.item_bias.weight)

    def forward(self, user, item):
        dot = (self.user_factors(user) * self.item_factors(item)).sum(1)
        return self.mean + dot + self.user_bias(user).squeeze(1) + self.item_bias(item).squeeze(1)


model = MatrixFactorization(n_users, n_courses, mean=r[:n_train].mean().item())
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)
loss_func = nn.MSELoss()

for epoch in range(20):
    total = 0
    for user, item, rating in train_loader:
        optimizer.zero_grad()
        loss = loss_func(model(user, item), rating)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rating)
    with torch.no_grad():
        rmse = loss_func(model(u[n_train:], c[n_train:]), r[n_train:]).sqrt().item()
    print(f"epoch {epoch:02d}  train mse {total / n_train:.3f}  test rmse {rmse:.3f}")

print(f"metric: {rmse:.4f}")
