"""A recommender of films for the members of a club, with a network on top of two embeddings.

cause: inputs-ignored
family: recommender
metric: auc, higher
repair:
    - pair = torch.cat([self.film(films), self.film(films)], dim=-1)
    + pair = torch.cat([self.member(members), self.film(films)], dim=-1)
"""

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MEMBERS, FILMS, GENRES = 60, 80, 4


class NeuralFilter(nn.Module):
    def __init__(self, dim=12):
        super().__init__()
        self.member = nn.Embedding(MEMBERS, dim)
        self.film = nn.Embedding(FILMS, dim)
        self.mlp = nn.Sequential(
            nn.Linear(2 * dim, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.ReLU(),
            nn.Linear(16, 1),
        )

    def forward(self, members, films):
        pair = torch.cat([self.film(films), self.film(films)], dim=-1)
        return self.mlp(pair).squeeze(-1)


def club(rng):
    likes = rng.dirichlet(np.full(GENRES, 0.15), MEMBERS)
    genre = rng.dirichlet(np.full(GENRES, 0.25), FILMS)
    quality = rng.normal(0, 0.5, FILMS)
    member = rng.integers(0, MEMBERS, 9000)
    film = rng.integers(0, FILMS, 9000)
    score = 7 * (likes[member] * genre[film]).sum(1) + quality[film] - 2.0
    liked = rng.random(9000) < 1 / (1 + np.exp(-2.0 * score))
    return torch.tensor(member), torch.tensor(film), torch.tensor(liked, dtype=torch.float32)


def main():
    rng = np.random.default_rng(2)
    torch.manual_seed(2)
    member, film, liked = club(rng)
    loader = DataLoader(TensorDataset(member[:7500], film[:7500], liked[:7500]), batch_size=64, shuffle=True)
    model = NeuralFilter()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-5)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(8):
        mean_loss = 0.0
        for m, f, target in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(m, f), target)
            loss.backward()
            optimizer.step()
            mean_loss += loss.item() / len(loader)
        with torch.no_grad():
            auc = roc_auc_score(liked[7500:], model(member[7500:], film[7500:]))
        print(f"epoch {epoch + 1}: loss {mean_loss:.4f}, auc {auc:.4f}")
    print(f"metric: {auc:.4f}")


if __name__ == "__main__":
    main()
