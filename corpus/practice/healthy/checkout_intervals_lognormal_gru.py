"""When does the next customer reach the till: a recurrent point process with log-normal intervals.

family: rnn
metric: nll, lower
"""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import LogNormal


def shop_day(rng, events=60):
    """Seconds between customers; the rush comes and goes, and couples arrive close together."""
    rush, gaps = rng.normal(), []
    for _ in range(events):
        rush = 0.95 * rush + 0.3 * rng.normal()
        if gaps and gaps[-1] > 20 and rng.random() < 0.25:
            gaps.append(rng.lognormal(1.0, 0.3))
        else:
            gaps.append(rng.lognormal(3.6 - 0.8 * rush, 0.4))
    return gaps


class IntervalModel(nn.Module):
    def __init__(self, mean, std, hidden=32, components=3):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.mixture = nn.Linear(hidden, 3 * components)

    def forward(self, gaps):
        """The mean negative log-likelihood of every interval given those before."""
        z = (gaps.log() - self.mean) / self.std
        h, _ = self.gru(z[:, :-1, None])
        logits, loc, scale = self.mixture(h).chunk(3, dim=-1)
        loc = loc * self.std + self.mean
        scale = nn.functional.softplus(scale) + 0.05
        log_prob = LogNormal(loc, scale).log_prob(gaps[:, 1:, None])
        return -torch.logsumexp(logits.log_softmax(-1) + log_prob, -1).mean()


rng = np.random.default_rng(15)
torch.manual_seed(15)
days = torch.tensor(np.array([shop_day(rng) for _ in range(1200)]), dtype=torch.float32)
train, val = days[:1000], days[1000:]
model = IntervalModel(train.log().mean().item(), train.log().std().item())
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)

marginal = LogNormal(model.mean, model.std).log_prob(val).mean().item()
print(f"without the history: {-marginal:.4f} nats, {-marginal / math.log(2):.4f} bits")
for epoch in range(14):
    model.train()
    losses = []
    for rows in torch.randperm(len(train)).split(25):
        optimizer.zero_grad()
        loss = model(train[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        nll = model(val).item()
    scheduler.step(nll)
    lr = optimizer.param_groups[0]["lr"]
    print(f"epoch {epoch + 1:2d} train {np.mean(losses):.4f} val {nll:.4f} lr {lr:.0e}")
print(f"metric: {nll:.4f}")
