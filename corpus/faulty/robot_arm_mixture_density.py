"""A mixture density network for the elbow angle of a two-link arm, which has two solutions.

cause: symmetric-initial-values
family: mixture density
metric: negative log-likelihood, lower
repair:
    - nn.init.zeros_(self.head.weight)
    - nn.init.zeros_(self.head.bias)
"""

import math

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal


class MixtureDensity(nn.Module):
    def __init__(self, inputs, components=4, hidden=48):
        super().__init__()
        self.components = components
        self.trunk = nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.head = nn.Linear(hidden, 3 * components)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        logits, mean, raw = self.head(self.trunk(x)).chunk(3, dim=-1)
        width = nn.functional.softplus(raw) + 0.02
        return MixtureSameFamily(Categorical(logits=logits), Normal(mean, width))


def poses(count):
    """The hand's place, and an elbow angle that leads there, bent either way."""
    shoulder = (torch.rand(count) - 0.5) * math.pi
    elbow = 0.4 + 1.8 * torch.rand(count)
    sign = torch.where(torch.rand(count) < 0.5, 1.0, -1.0)
    reach = (1.25 + torch.cos(elbow)).sqrt()
    place = torch.stack([reach * shoulder.cos(), reach * shoulder.sin()], 1)
    return place, sign * elbow + 0.05 * torch.randn(count)


torch.manual_seed(41)
x, y = poses(3000)
x_test, y_test = poses(800)
net = MixtureDensity(2)
optimizer = torch.optim.RAdam(net.parameters(), lr=4e-3)
for epoch in range(20):
    shuffled = torch.randperm(len(x))
    for rows in shuffled.chunk(50):
        nll = -net(x[rows]).log_prob(y[rows]).mean()
        optimizer.zero_grad()
        nll.backward()
        optimizer.step()
    if epoch % 4 == 0:
        with torch.no_grad():
            print(f"epoch {epoch}: nll {-net(x_test).log_prob(y_test).mean().item():.4f}")

with torch.no_grad():
    print(f"metric: {-net(x_test).log_prob(y_test).mean().item():.4f}")
