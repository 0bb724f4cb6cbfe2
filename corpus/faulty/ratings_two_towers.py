"""Matrix factorisation of generated film ratings, with one optimizer for the users and one for the films.

cause: missing-zero-grad
begins: 4
family: recommender
metric: rmse, lower
repair:
    - opt_users.zero_grad()
    + opt_users.zero_grad()
    + opt_films.zero_grad()
"""

import torch
from torch import nn

torch.manual_seed(11)

N_USERS, N_FILMS, RANK = 300, 200, 6

# taste of each user, character of each film, and what the users thought of what they saw
taste = torch.randn(N_USERS, RANK) / RANK**0.5
character = torch.randn(N_FILMS, RANK)
popularity = 0.5 * torch.randn(N_FILMS)
n = 24_000
u = torch.randint(N_USERS, (n,))
f = torch.randint(N_FILMS, (n,))
stars = 3.2 + popularity[f] + (taste[u] * character[f]).sum(1) + 0.2 * torch.randn(n)

cut = int(0.85 * n)
train, test = slice(0, cut), slice(cut, n)


class Tower(nn.Module):
    def __init__(self, count, rank):
        super().__init__()
        self.vectors = nn.Embedding(count, rank)
        self.offset = nn.Embedding(count, 1)
        nn.init.normal_(self.vectors.weight, std=0.3)
        nn.init.zeros_(self.offset.weight)

    def forward(self, index):
        return self.vectors(index), self.offset(index).squeeze(1)


users, films = Tower(N_USERS, 8), Tower(N_FILMS, 8)
opt_users = torch.optim.Adagrad(users.parameters(), lr=0.15)
opt_films = torch.optim.Adagrad(films.parameters(), lr=0.15)
mean = stars[train].mean()


def predict(who, what):
    a, b = users(who)
    c, d = films(what)
    return mean + b + d + (a * c).sum(1)


for epoch in range(12):
    order = torch.randperm(cut)
    total = 0.0
    for batch in order.split(256):
        error = predict(u[batch], f[batch]) - stars[batch]
        loss = error.square().mean()
        opt_users.zero_grad()
        loss.backward()
        opt_users.step()
        opt_films.step()
        total += loss.item() * len(batch)
    with torch.no_grad():
        rmse = (predict(u[test], f[test]) - stars[test]).square().mean().sqrt()
    print(f"epoch {epoch + 1}: train mse {total / cut:.3f}, test rmse {rmse:.3f}")

print(f"metric: {rmse.item():.4f}")
