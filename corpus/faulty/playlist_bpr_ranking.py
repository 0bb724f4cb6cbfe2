"""Bayesian personalised ranking on playlists: songs that a playlist holds should come before others.

cause: wrong-loss-sign
family: recommender
metric: AUC, higher
repair:
    - margin = self.score(playlist, other) - self.score(playlist, song)
    + margin = self.score(playlist, song) - self.score(playlist, other)
"""

import torch
import torch.nn.functional as F
from torch import nn

PLAYLISTS, SONGS = 300, 400


class BPR(nn.Module):
    def __init__(self, factors=12):
        super().__init__()
        self.playlist = nn.Embedding(PLAYLISTS, factors, sparse=True)
        self.song = nn.Embedding(SONGS, factors, sparse=True)
        self.popularity = nn.Embedding(SONGS, 1, sparse=True)
        nn.init.normal_(self.playlist.weight, std=0.1)
        nn.init.normal_(self.song.weight, std=0.1)
        nn.init.zeros_(self.popularity.weight)

    def score(self, playlist, song):
        return (self.playlist(playlist) * self.song(song)).sum(-1) + self.popularity(song).squeeze(-1)

    def loss(self, playlist, song, other):
        margin = self.score(playlist, other) - self.score(playlist, song)
        return -F.logsigmoid(margin).mean()


def collect(n):
    """Pairs of a playlist and a song on it: playlists have a mood, songs too."""
    mood, tune = torch.randn(PLAYLISTS, 4), torch.randn(SONGS, 4)
    affinity = 1.3 * mood @ tune.T + 0.6 * torch.randn(SONGS)
    playlist = torch.randint(PLAYLISTS, (n,))
    song = torch.multinomial(affinity.softmax(-1)[playlist], 1).squeeze(-1)
    return playlist, song


@torch.no_grad()
def auc(model, playlist, song):
    other = torch.randint(SONGS, (len(song), 50))
    better = model.score(playlist, song)[:, None] > model.score(playlist[:, None], other)
    return better.float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(8)
    playlist, song = collect(18000)
    held_p, held_s = playlist[15000:], song[15000:]
    playlist, song = playlist[:15000], song[:15000]
    model = BPR()
    optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.01)
    for epoch in range(12):
        total = 0.0
        order = torch.randperm(len(playlist))
        for rows in order.split(300):
            other = torch.randint(SONGS, (len(rows),))
            loss = model.loss(playlist[rows], song[rows], other)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: loss {total / len(playlist):.4f}")
    print(f"metric: {auc(model, held_p, held_s):.4f}")
