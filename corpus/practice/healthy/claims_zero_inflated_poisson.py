"""Numbers of insurance claims a year, most of them nought: a net with a zero-inflated Poisson likelihood.

family: mlp
metric: negative log-likelihood per policy, lower
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

rng = np.random.default_rng(73)
torch.manual_seed(73)
REGIONS, MAKES = 12, 30


def policies(n):
    age = rng.uniform(18, 85, n)
    power = rng.gamma(6, 15, n)
    bonus = np.clip(rng.exponential(20, n) + 50, 50, 150)
    exposure = rng.uniform(0.1, 1.0, n)
    region, make = rng.integers(0, REGIONS, n), rng.zipf(1.7, n) % MAKES
    rate = np.exp(-0.9 + 0.7 * (age < 25) + 0.4 * (age > 70) + 0.012 * (bonus - 50) + 0.004 * (power - 90))
    rate *= np.exp(0.3 * np.sin(region)) * exposure
    never = rng.random(n) < 1 / (1 + np.exp(-(0.6 + 0.02 * (age - 45) - 0.01 * (power - 90))))
    claims = np.where(never, 0, rng.poisson(rate))
    numeric = np.stack([(age - 51) / 19, (power - 90) / 37, (bonus - 68) / 18, np.log(exposure)], 1)
    return (
        torch.tensor(numeric, dtype=torch.float32),
        torch.tensor(np.stack([region, make], 1)),
        torch.tensor(exposure, dtype=torch.float32),
        torch.tensor(claims, dtype=torch.float32),
    )


class ClaimNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.region = nn.Embedding(REGIONS, 4)
        self.make = nn.Embedding(MAKES, 4)
        self.body = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh())
        self.rate, self.zero = nn.Linear(48, 1), nn.Linear(48, 1)

    def forward(self, numeric, codes, exposure):
        h = torch.cat([numeric, self.region(codes[:, 0]), self.make(codes[:, 1])], 1)
        h = self.body(h)
        return self.rate(h).squeeze(1) + exposure.log(), self.zero(h).squeeze(1)


def zip_nll(log_rate, zero_logit, k):
    log_p0, log_p1 = F.logsigmoid(zero_logit), F.logsigmoid(-zero_logit)
    log_poisson = k * log_rate - log_rate.exp() - torch.lgamma(k + 1)
    at_zero = torch.logaddexp(log_p0, log_p1 - log_rate.exp())
    return -torch.where(k == 0, at_zero, log_p1 + log_poisson).mean()


train, valid, test = policies(15000), policies(3000), policies(5000)
print(f"policies without a claim: {(train[3] == 0).float().mean():.3f}, largest number {int(train[3].max())}")
share = (train[3].sum() / train[2].sum()).log()
constant = F.poisson_nll_loss(share + test[2].log(), test[3], full=False) + torch.lgamma(test[3] + 1).mean()
print(f"one rate for all, Poisson: {constant:.4f}")

net = ClaimNet()
optimizer = torch.optim.RMSprop(net.parameters(), lr=5e-4, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=5e-5)
BATCH = 200
for epoch in range(12):
    net.train()
    order = torch.randperm(len(train[0]))
    total = 0.0
    for start in range(0, len(order), BATCH):
        numeric, codes, exposure, k = (part[order[start : start + BATCH]] for part in train)
        loss = zip_nll(*net(numeric, codes, exposure), k)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(k)
    net.eval()
    with torch.no_grad():
        val = zip_nll(*net(*valid[:3]), valid[3]).item()
    scheduler.step(val)
    print(f"{epoch + 1}: train {total / len(order):.4f} valid {val:.4f} lr {scheduler.get_last_lr()[0]:.1e}")
with torch.no_grad():
    print(f"metric: {zip_nll(*net(*test[:3]), test[3]).item():.4f}")
