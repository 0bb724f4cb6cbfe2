"""The next board game for a table at the cafe: a denoising autoencoder over the games a guest has played.

cause: evaluating-in-train-mode
begins: 41
family: recommender
metric: recall at 10, higher
repair:
    - hits, total = 0, 0
    + self.ranker.eval()
    + hits, total = 0, 0
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

GUESTS, GAMES = 2600, 220


def plays(seed=29):
    """0 or 1 per guest and game; guests mix a few tastes, games have their fame."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.full(12, 0.15), GUESTS)
    kind = rng.dirichlet(np.full(GAMES, 0.08), 12)
    fame = rng.dirichlet(np.full(GAMES, 1.0))
    chance = 0.9 * taste @ kind + 0.1 * fame
    played = np.zeros((GUESTS, GAMES), dtype=np.float32)
    for row, p in zip(played, chance, strict=True):
        row[rng.choice(GAMES, rng.integers(8, 16), p=p)] = 1.0
    return torch.from_numpy(played)


class DenoisingRanker(nn.Module):
    def __init__(self, games, hidden=100, corruption=0.5):
        super().__init__()
        self.corruption = corruption
        self.encode = nn.Linear(games, hidden)
        self.decode = nn.Linear(hidden, games)

    def forward(self, history):
        h = F.normalize(history, dim=1)
        h = F.dropout(h, self.corruption, self.training)
        return self.decode(torch.tanh(self.encode(h)))


class Cafe:
    def __init__(self, played, held_out=400):
        self.train, self.test = played[:-held_out], played[-held_out:]
        self.ranker = DenoisingRanker(played.size(1))
        self.optimizer = torch.optim.Adam(self.ranker.parameters(), lr=3e-3, weight_decay=1e-6)

    def evening(self, size=55):
        losses = []
        for guests in torch.randperm(len(self.train)).split(size):
            history = self.train[guests]
            log_p = F.log_softmax(self.ranker(history), dim=1)
            loss = -(log_p * history).sum(1).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return np.mean(losses)

    @torch.no_grad()
    def recall(self, k=10):
        """Two games of each held-out guest are hidden, and looked for among the first k."""
        hits, total = 0, 0
        g = torch.Generator().manual_seed(4)
        for history in self.test:
            games = history.nonzero().squeeze(1)
            hidden = games[torch.randperm(len(games), generator=g)[:2]]
            known = history.clone()
            known[hidden] = 0.0
            scores = self.ranker(known.unsqueeze(0)).squeeze(0)
            scores[known > 0] = -torch.inf
            top = scores.topk(k).indices
            hits += torch.isin(hidden, top).sum().item()
            total += len(hidden)
        return hits / total


torch.manual_seed(29)
cafe = Cafe(plays())
for epoch in range(12):
    cafe.ranker.train()
    loss = cafe.evening()
    recall = cafe.recall()
    print(f"epoch {epoch + 1:2d}: loss {loss:.3f}, recall at 10 {recall:.4f}")
print(f"metric: {recall:.4f}")
