"""Strength of the players of a table tennis league from who beat whom, with home table and fatigue.

family: embedding
metric: log loss on the last matches, lower
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PLAYERS = 220
rng = np.random.default_rng(101)
torch.manual_seed(101)

strength = rng.normal(0, 0.55, PLAYERS)
activity = rng.pareto(1.3, PLAYERS) + 0.3
activity /= activity.sum()


def season(n):
    a = rng.choice(PLAYERS, n, p=activity)
    b = rng.choice(PLAYERS, n, p=activity)
    a, b = a[a != b], b[a != b]
    rest = rng.normal(0, 1, len(a))
    logit = strength[a] - strength[b] + 0.2 + 0.1 * rest
    won = rng.random(len(a)) < 1 / (1 + np.exp(-logit))
    return torch.tensor(a), torch.tensor(b), torch.tensor(rest).float(), torch.tensor(won).float(), logit


class BradleyTerry(nn.Module):
    def __init__(self, players):
        super().__init__()
        self.skill = nn.Embedding(players, 1)
        self.rest = nn.Parameter(torch.zeros(()))
        self.home = nn.Parameter(torch.zeros(()))
        nn.init.zeros_(self.skill.weight)

    def forward(self, a, b, rest):
        return (self.skill(a) - self.skill(b)).squeeze(1) + self.home + self.rest * rest


a, b, rest, won, _ = season(20000)
ta, tb, trest, twon, tlogit = season(4000)
loader = DataLoader(TensorDataset(a, b, rest, won), batch_size=128, shuffle=True)
model = BradleyTerry(PLAYERS)
bce = nn.BCEWithLogitsLoss()
opt = torch.optim.SGD(model.parameters(), lr=1.0)
sched = torch.optim.lr_scheduler.LambdaLR(opt, lambda k: 1 / (1 + k / 300))

for epoch in range(12):
    total = 0.0
    for ab, bb, rb, wb in loader:
        # a weak normal prior on the players of the batch
        loss = bce(model(ab, bb, rb), wb) + 1e-3 * (model.skill(ab) ** 2 + model.skill(bb) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        total += loss.item()
    with torch.no_grad():
        test = bce(model(ta, tb, trest), twon).item()
        acc = ((model(ta, tb, trest) > 0) == (twon > 0.5)).float().mean().item()
    print(f"epoch {epoch + 1:2d}  train {total / len(loader):.4f}  test {test:.4f}  right {acc:.3f}")
print(f"with the true strengths {bce(torch.tensor(tlogit).float(), twon).item():.4f}")
print(f"metric: {test:.4f}")
