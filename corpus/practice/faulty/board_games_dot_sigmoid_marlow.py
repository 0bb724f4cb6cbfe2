"""Ratings of board games from 1 to 5, as the dot product of a player and a game.

cause: saturated-units
also: poor-initial-values
family: recommender
metric: mean squared error of the stars, lower
repair:
    - dot = (self.players(player) * self.games(game)).sum(dim=1)
    + dot = (self.players(player) * self.games(game)).sum(dim=1) / self.players.embedding_dim
"""

import numpy as np
import torch
import torch.nn as nn
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

N_PLAYERS, N_GAMES, N_RATINGS = 400, 150, 24000


def load_ratings(seed=3):
    rng = np.random.default_rng(seed)
    player = rng.integers(N_PLAYERS, size=N_RATINGS)
    game = rng.integers(N_GAMES, size=N_RATINGS)
    p, g = rng.normal(size=(N_PLAYERS, 3)), rng.normal(size=(N_GAMES, 3))
    quality, mood = 0.5 * rng.normal(size=N_GAMES), 0.4 * rng.normal(size=N_PLAYERS)
    stars = 3.2 + quality[game] + mood[player] + 0.45 * (p[player] * g[game]).sum(1)
    stars = np.clip(np.round(stars + 0.3 * rng.normal(size=N_RATINGS)), 1, 5)
    return player, game, stars.astype(np.float32)


class MatrixFactorization(nn.Module):
    def __init__(self, n_players, n_games, n_factors=50, low=0.5, high=5.5):
        super().__init__()
        self.players = nn.Embedding(n_players, n_factors)
        self.games = nn.Embedding(n_games, n_factors)
        self.player_bias = nn.Embedding(n_players, 1)
        self.game_bias = nn.Embedding(n_games, 1)
        self.player_bias.weight.data.zero_()
        self.game_bias.weight.data.zero_()
        self.low, self.high = low, high

    def forward(self, player, game):
        dot = (self.players(player) * self.games(game)).sum(dim=1)
        dot = dot + self.player_bias(player).squeeze(1) + self.game_bias(game).squeeze(1)
        return self.low + (self.high - self.low) * torch.sigmoid(dot)


def evaluate(model, loader):
    model.eval()
    with torch.no_grad():
        errors = [(model(p, g) - s) ** 2 for p, g, s in loader]
    return torch.cat(errors).mean().item()


def main():
    torch.manual_seed(3)
    columns = train_test_split(*load_ratings(), test_size=0.15, random_state=3)
    train = TensorDataset(*(torch.from_numpy(c) for c in columns[0::2]))
    test = TensorDataset(*(torch.from_numpy(c) for c in columns[1::2]))
    train_dl = DataLoader(train, batch_size=128, shuffle=True)
    test_dl = DataLoader(test, batch_size=1024)
    model = MatrixFactorization(N_PLAYERS, N_GAMES)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-6)
    loss_fn = nn.MSELoss()
    for epoch in range(8):
        model.train()
        total = 0.0
        for p, g, s in train_dl:
            loss = loss_fn(model(p, g), s)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(s)
        mse = evaluate(model, test_dl)
        print(f"epoch {epoch}: train {total / len(train):.4f} valid {mse:.4f}")
    print(f"metric: {mse:.4f}")


if __name__ == "__main__":
    main()
