"""Counts of a lift company's call-outs per building and month: a negative binomial network with an offset.

family: mlp
metric: negative log-likelihood, lower
"""

import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(38)
torch.manual_seed(38)

n = 5000
lifts = rng.integers(1, 9, n)
age = rng.uniform(0, 45, n)
floors = rng.integers(2, 25, n)
rides = rng.lognormal(7, 0.6, n)
summer = (rng.random(n) < 0.25).astype(float)
maker = rng.integers(0, 4, n)
rate = np.exp(
    -2.8 + 0.03 * age + 0.35 * (np.log(rides) - 7) + 0.3 * summer + np.array([0, 0.4, -0.3, 0.1])[maker]
)
rate *= lifts * np.where(age > 30, 1.5, 1.0)
calls = rng.poisson(rate * rng.gamma(1.5, 1 / 1.5, n))
print(f"mean {calls.mean():.2f}, variance {calls.var():.2f}, none in {np.mean(calls == 0):.0%}")

x = np.column_stack([age / 15 - 1.5, floors / 7 - 1.8, np.log(rides) - 7, summer, np.eye(4)[maker]])
x = torch.tensor(x, dtype=torch.float32)
exposure = torch.log(torch.tensor(lifts, dtype=torch.float32))
calls = torch.tensor(calls, dtype=torch.float32)


class CountNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, 24), nn.Softplus(), nn.Linear(24, 1))
        self.log_dispersion = nn.Parameter(torch.zeros(()))
        nn.init.constant_(self.body[-1].bias, -2.0)

    def forward(self, x, exposure):
        return torch.exp(self.body(x).squeeze(1) + exposure)


def nll(mean, size, k):
    """Minus the log-likelihood of a negative binomial with this mean and size."""
    p = torch.log(size / (size + mean))
    q = torch.log(mean / (size + mean))
    return -(torch.lgamma(k + size) - torch.lgamma(size) - torch.lgamma(k + 1) + size * p + k * q)


model = CountNet()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
train, test = slice(0, 4000), slice(4000, None)
for epoch in range(15):
    losses = []
    for rows in torch.randperm(4000).split(64):
        mean = model(x[train][rows], exposure[train][rows])
        loss = nll(mean, model.log_dispersion.exp(), calls[train][rows]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        held_out = nll(model(x[test], exposure[test]), model.log_dispersion.exp(), calls[test]).mean().item()
    print(f"epoch {epoch}: nll {np.mean(losses):.4f}, held-out {held_out:.4f}")

print(f"metric: {held_out:.4f}")
