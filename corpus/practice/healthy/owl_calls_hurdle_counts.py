"""Owl calls a night at listening posts: most nights are silent, so a hurdle in front of a Poisson count.

family: mlp
metric: log-likelihood gain per night over constant rates on held-out nights, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def make_nights(n, rng):
    moon = rng.uniform(0, 1, n)
    wind = rng.gamma(2, 2.2, n)
    rain = rng.exponential(1, n) * (rng.random(n) < 0.3)
    week = rng.integers(0, 52, n)
    forest = rng.beta(2, 2, n)
    road = np.log1p(rng.gamma(1.5, 900, n))
    season = np.cos(2 * np.pi * (week - 9) / 52)
    logit = -2.9 + 1.4 * season + 2.0 * (forest - 0.5) - 0.25 * wind - 0.6 * rain + 0.35 * (road - 6.5)
    rate = np.exp(0.7 + 0.8 * season + 0.9 * moon * (wind < 5) + 0.8 * forest)
    calls = np.where(rng.random(n) < 1 / (1 + np.exp(-logit)), rng.poisson(rate), 0)
    x = np.column_stack(
        [moon, wind, rain, np.cos(2 * np.pi * week / 52), np.sin(2 * np.pi * week / 52), forest, road]
    )
    return x, calls


def hurdle_nll(logit, log_rate, calls):
    heard = (calls > 0).float()
    presence = F.binary_cross_entropy_with_logits(logit, heard, reduction="none")
    rate = log_rate.exp()
    # zero-truncated Poisson: only nights with calls speak about the rate
    truncated = rate - calls * log_rate + torch.lgamma(calls + 1) + torch.log(-torch.expm1(-rate))
    return presence + heard * truncated


class OwlNet(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.presence = nn.Linear(32, 1)
        self.count = nn.Linear(32, 1)

    def forward(self, x):
        h = self.shared(x)
        return self.presence(h).squeeze(1), self.count(h).squeeze(1).clamp(-4, 4)


torch.manual_seed(12)
rng = np.random.default_rng(12)
x, calls = make_nights(14000, rng)
x = (x - x[:10000].mean(0)) / x[:10000].std(0)
x, calls = torch.tensor(x, dtype=torch.float32), torch.tensor(calls, dtype=torch.float32)
xtr, ytr, xva, yva, xte, yte = (
    x[:10000],
    calls[:10000],
    x[10000:12000],
    calls[10000:12000],
    x[12000:],
    calls[12000:],
)
print(f"{(ytr == 0).float().mean():.1%} of the nights are silent")

model = OwlNet(x.shape[1])
# start the heads at the overall rates
p = (ytr > 0).float().mean()
nn.init.constant_(model.presence.bias, torch.log(p / (1 - p)).item())
nn.init.constant_(model.count.bias, torch.log(ytr[ytr > 0].mean()).item())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
best, best_state, patience = float("inf"), None, 0
for epoch in range(30):
    model.train()
    for idx in torch.randperm(len(xtr)).split(128):
        loss = hurdle_nll(*model(xtr[idx]), ytr[idx]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        val = hurdle_nll(*model(xva), yva).mean().item()
    print(f"epoch {epoch + 1}: batch {loss.item():.4f} val {val:.4f}")
    if val < best:
        best, patience = val, 0
        best_state = {k: v.clone() for k, v in model.state_dict().items()}
    else:
        patience += 1
        if patience == 5:
            break
model.load_state_dict(best_state)

with torch.no_grad():
    ours = hurdle_nll(*model(xte), yte).mean()
    # the constant model, fitted by a few Newton steps on the truncated mean
    mean, rate = ytr[ytr > 0].mean(), ytr[ytr > 0].mean()
    for _ in range(50):
        rate = mean * -torch.expm1(-rate)
    const = hurdle_nll(torch.log(p / (1 - p)).expand(len(yte)), rate.log().expand(len(yte)), yte).mean()
print(f"constant rates {const:.4f}, network {ours:.4f}")
print(f"metric: {(const - ours).item():.4f}")
