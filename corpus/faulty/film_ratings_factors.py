"""Matrix factorisation of generated film ratings with biases, minibatch SGD.

cause: learning-rate-too-low
family: recommender
metric: root mean squared error, lower
repair:
    - trainer = Trainer(Factors(USERS, FILMS, 8), rate=0.02)
    + trainer = Trainer(Factors(USERS, FILMS, 8), rate=15.0)
"""

import torch
from torch import nn

USERS, FILMS = 300, 200
torch.manual_seed(5)


def generate():
    taste = torch.randn(USERS, 3)
    genre = torch.randn(FILMS, 3)
    bias_u, bias_f = 0.4 * torch.randn(USERS), 0.6 * torch.randn(FILMS)
    pairs = torch.randperm(USERS * FILMS)[:24000]
    u, f = pairs // FILMS, pairs % FILMS
    r = 3.2 + bias_u[u] + bias_f[f] + 0.5 * (taste[u] * genre[f]).sum(1) + 0.3 * torch.randn(len(u))
    return u, f, r.clamp(0.5, 5.0)


class Factors(nn.Module):
    def __init__(self, users, films, k):
        super().__init__()
        self.user, self.film = nn.Embedding(users, k), nn.Embedding(films, k)
        self.user_bias, self.film_bias = nn.Embedding(users, 1), nn.Embedding(films, 1)
        self.mean = nn.Parameter(torch.tensor(3.2), requires_grad=False)
        for e in (self.user, self.film):
            nn.init.normal_(e.weight, std=0.1)
        for e in (self.user_bias, self.film_bias):
            nn.init.zeros_(e.weight)

    def forward(self, u, f):
        dot = (self.user(u) * self.film(f)).sum(-1)
        return self.mean + dot + self.user_bias(u).squeeze(-1) + self.film_bias(f).squeeze(-1)


class Trainer:
    def __init__(self, model, rate):
        self.model = model
        self.optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=rate)

    def fit(self, u, f, r, epochs, batch_size):
        for epoch in range(epochs):
            total = 0.0
            for rows in torch.randperm(len(r)).split(batch_size):
                error = self.model(u[rows], f[rows]) - r[rows]
                loss = error.square().mean()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += error.detach().square().sum().item()
            print(f"epoch {epoch + 1}  train rmse {(total / len(r)) ** 0.5:.4f}")

    @torch.no_grad()
    def rmse(self, u, f, r):
        return (self.model(u, f) - r).square().mean().sqrt().item()


u, f, r = generate()
trainer = Trainer(Factors(USERS, FILMS, 8), rate=0.02)
trainer.fit(u[:20000], f[:20000], r[:20000], epochs=15, batch_size=500)
print(f"metric: {trainer.rmse(u[20000:], f[20000:], r[20000:]):.4f}")
