"""Order of the songs in a listeners' chart, from how they sound: RankNet over all pairs of a week.

cause: loss-broadcast
family: ranking
metric: rank correlation, higher
repair:
    - gap = score.unsqueeze(1) - score.unsqueeze(0)
    + gap = score - score.T
"""

import torch
import torch.nn.functional as F
from torch import nn

SONGS, SOUNDS = 20, 10


def charts(weeks, seed):
    """Each week's songs, what they sound like, and their places (0 is the top)."""
    taste = torch.Generator().manual_seed(3)
    w1, w2 = torch.randn(SOUNDS, 6, generator=taste), torch.randn(6, generator=taste)
    g = torch.Generator().manual_seed(seed)
    songs = torch.randn(weeks, SONGS, SOUNDS, generator=g)
    liking = torch.sin(songs @ w1 / 2) @ w2 + 0.6 * songs[..., 0] * songs[..., 1]
    liking = liking + 0.3 * torch.randn(liking.shape, generator=g)
    place = liking.argsort(1, descending=True).argsort(1)
    return songs, place


class Juror(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.first = nn.Linear(SOUNDS, width)
        self.second = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)

    def forward(self, songs):
        h = F.gelu(self.first(songs))
        h = h + F.gelu(self.second(self.norm(h)))
        return self.score(h)


def ranknet_loss(score, place):
    """Cross-entropy of "i is ahead of j" for every pair of songs of a week."""
    gap = score.unsqueeze(1) - score.unsqueeze(0)
    ahead = torch.sign(place.unsqueeze(0) - place.unsqueeze(1))
    return F.softplus(-ahead * gap).mean()


@torch.no_grad()
def correlation(net, songs, place):
    guess = net(songs).squeeze(-1).argsort(1, descending=True).argsort(1)
    squared = (guess - place).float().pow(2).sum(1)
    return (1 - 6 * squared / (SONGS * (SONGS**2 - 1))).mean().item()


def main(epochs=4):
    torch.manual_seed(19)
    songs, place = charts(400, 191)
    later = charts(150, 192)
    juror = Juror()
    optimizer = torch.optim.NAdam(juror.parameters(), lr=2e-3)
    for epoch in range(epochs):
        total = 0.0
        for week in torch.randperm(len(songs)).tolist():
            loss = ranknet_loss(juror(songs[week]), place[week])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"season {epoch + 1}: loss {total / len(songs):.4f}, rank {correlation(juror, *later):.4f}")
    print(f"metric: {correlation(juror, *later):.4f}")


if __name__ == "__main__":
    main()
