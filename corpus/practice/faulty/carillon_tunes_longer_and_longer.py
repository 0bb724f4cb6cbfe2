"""The next bell of a carillon's tune: a recurrent cell in a loop, taught on short tunes, then on long ones.

cause: missing-zero-grad
begins: 122
family: rnn
metric: perplexity, lower
repair:
    - optimizer.zero_grad()
    - for chunk in tune.unfold(1, CHUNK + 1, CHUNK).unbind(1):
    + for chunk in tune.unfold(1, CHUNK + 1, CHUNK).unbind(1):
    +     optimizer.zero_grad()
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

BELLS, CHUNK = 12, 8


class Ringers:
    """Tunes in keys: what follows depends on the last two bells and on a key that seldom changes."""

    def __init__(self, seed):
        self.g = torch.Generator().manual_seed(seed)
        rules = torch.Generator().manual_seed(77)
        self.table = (2.5 * torch.randn(3, BELLS, BELLS, BELLS, generator=rules)).softmax(-1)

    def ring(self, n, length):
        key = torch.randint(3, (n,), generator=self.g)
        tune = torch.randint(BELLS, (n, 2), generator=self.g)
        for _ in range(length - 1):
            change = torch.rand(n, generator=self.g) < 0.01
            key = torch.where(change, torch.randint(3, (n,), generator=self.g), key)
            nxt = torch.multinomial(self.table[key, tune[:, -2], tune[:, -1]], 1, generator=self.g)
            tune = torch.cat([tune, nxt], 1)
        return tune


class Carillonneur(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.hidden = hidden
        self.embed = nn.Embedding(BELLS, 24)
        self.cell = nn.GRUCell(24, hidden)
        self.out = nn.Linear(hidden, BELLS)

    def start(self, n):
        return torch.zeros(n, self.hidden)

    def forward(self, bells, h):
        scores = []
        for t in range(bells.shape[1]):
            h = self.cell(self.embed(bells[:, t]), h)
            scores.append(self.out(h))
        return torch.stack(scores, 1), h


def test(model, tunes):
    with torch.no_grad():
        scores, _ = model(tunes[:, :-1], model.start(len(tunes)))
    return math.exp(F.cross_entropy(scores.flatten(0, 1), tunes[:, 1:].flatten()).item())


torch.manual_seed(21)
ringers = Ringers(1)
held_out = Ringers(2).ring(100, 160)
model = Carillonneur()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

# (chunks in a tune, tunes at once, rounds)
for chunks, together, rounds in ((1, 48, 120), (6, 48, 20), (24, 48, 14)):
    for _ in range(rounds):
        tune = ringers.ring(together, chunks * CHUNK)
        h = model.start(together)
        optimizer.zero_grad()
        for chunk in tune.unfold(1, CHUNK + 1, CHUNK).unbind(1):
            scores, h = model(chunk[:, :-1], h)
            loss = F.cross_entropy(scores.reshape(-1, BELLS), chunk[:, 1:].reshape(-1))
            loss.backward()
            optimizer.step()
            h = h.detach()
    print(f"{chunks:2d} chunks: loss {loss.item():.3f}, held out {test(model, held_out):.3f}")
print(f"metric: {test(model, held_out):.4f}")
