"""A recommender of jokes: biases and factors, fitted to generated ratings.

cause: loss-broadcast
family: recommender
metric: rmse, lower
repair:
    - score = (p * q).sum(dim=1, keepdim=True)
    - return score + self.user_bias(user) + self.joke_bias(joke)
    + score = (p * q).sum(dim=1, keepdim=True) + self.user_bias(user) + self.joke_bias(joke)
    + return score.squeeze(1)
    - estimate = model(users[valid], jokes[valid])[:, 0]
    + estimate = model(users[valid], jokes[valid])
"""

import numpy as np
import torch
from torch import nn


def simulate(n_users=200, n_jokes=100, seen=40, seed=8):
    gen = np.random.default_rng(seed)
    humour = gen.normal(size=(n_users, 3))
    style = gen.normal(size=(n_jokes, 3))
    mild = gen.normal(scale=0.8, size=n_users)
    good = gen.normal(scale=1.0, size=n_jokes)
    users = np.repeat(np.arange(n_users), seen)
    jokes = np.concatenate([gen.permutation(n_jokes)[:seen] for _ in range(n_users)])
    ratings = mild[users] + good[jokes] + 0.7 * (humour[users] * style[jokes]).sum(1)
    ratings += gen.normal(scale=0.3, size=len(users))
    order = gen.permutation(len(users))
    return users[order], jokes[order], ratings[order].astype(np.float32)


class Jester(nn.Module):
    def __init__(self, n_users, n_jokes, rank=4):
        super().__init__()
        self.user_factor = nn.Embedding(n_users, rank)
        self.joke_factor = nn.Embedding(n_jokes, rank)
        self.user_bias = nn.Embedding(n_users, 1)
        self.joke_bias = nn.Embedding(n_jokes, 1)
        for table in (self.user_factor, self.joke_factor):
            nn.init.normal_(table.weight, std=0.2)
        for table in (self.user_bias, self.joke_bias):
            nn.init.zeros_(table.weight)

    def forward(self, user, joke):
        p, q = self.user_factor(user), self.joke_factor(joke)
        score = (p * q).sum(dim=1, keepdim=True)
        return score + self.user_bias(user) + self.joke_bias(joke)


torch.manual_seed(8)
users, jokes, ratings = (torch.from_numpy(a) for a in simulate())
train, valid = torch.arange(len(users)).split([6800, len(users) - 6800])
model = Jester(200, 100)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.02)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.5)

for epoch in range(20):
    total = 0.0
    for rows in train[torch.randperm(len(train))].split(100):
        optimizer.zero_grad()
        errors = model(users[rows], jokes[rows]) - ratings[rows]
        loss = (errors**2).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    scheduler.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1:2d}  squared error {total / len(train):.4f}")

with torch.no_grad():
    estimate = model(users[valid], jokes[valid])[:, 0]
    rmse = (estimate - ratings[valid]).square().mean().sqrt().item()
print(f"metric: {rmse:.4f}")
