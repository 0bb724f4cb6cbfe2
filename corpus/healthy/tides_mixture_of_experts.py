"""Tides at fourteen harbours: a mixture of eight experts, each row sent to the two that its harbour prefers.

family: mixture
metric: r2, higher
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

HARBOURS, EXPERTS, ACTIVE = 14, 8, 2


def tide(hour, harbour):
    """Once a day, twice a day, mixed, with a double high water or a bore; earlier or later, more or less."""
    kind, late = harbour % 5, 0.6 * (harbour // 5)
    a = 2 * math.pi * hour / 24.8 - late
    kinds = torch.stack(
        [
            torch.sin(a),
            torch.sin(2 * a),
            0.7 * torch.sin(a) + 0.7 * torch.sin(2 * a),
            torch.sin(2 * a) + 0.5 * torch.sin(4 * a),
            2 * torch.exp(3 * (torch.sin(2 * a) - 1)) - 1,
        ],
        1,
    )
    return (0.7 + 0.05 * harbour) * kinds.gather(1, kind[:, None]).squeeze(1)


class Expert(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.out = nn.Linear(width, 1)

    def forward(self, features):
        return self.out(self.body(features)).squeeze(1)


class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.harbour = nn.Embedding(HARBOURS, EXPERTS)
        nn.init.normal_(self.harbour.weight, std=0.5)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))
        # What tells one harbour of an expert from another.
        self.trait = nn.Embedding(HARBOURS, 4)

    def forward(self, hour, harbour):
        a = 2 * math.pi * hour / 24.8
        clock = torch.stack([a.sin(), a.cos(), (2 * a).sin(), (2 * a).cos()], 1)
        features = torch.cat([clock, self.trait(harbour)], 1)
        share = F.softmax(self.harbour(harbour), dim=1)
        weight, chosen = share.topk(ACTIVE, dim=1)
        weight = weight / weight.sum(1, keepdim=True)
        out = torch.zeros_like(hour)
        for number, expert in enumerate(self.experts):
            row, slot = (chosen == number).nonzero(as_tuple=True)
            if len(row):
                out = out.index_add(0, row, weight[row, slot] * expert(features[row]))
        load = F.one_hot(chosen, EXPERTS).float().mean((0, 1))
        balance = EXPERTS * (load * share.mean(0)).sum()
        return out, balance


def observations(count, generator):
    hour = 24.8 * torch.rand(count, generator=generator)
    harbour = torch.randint(0, HARBOURS, (count,), generator=generator)
    return hour, harbour, tide(hour, harbour)


if __name__ == "__main__":
    torch.manual_seed(27)
    generator = torch.Generator().manual_seed(27)
    hour, harbour, height = observations(6000, generator)
    height = height + 0.05 * torch.randn(6000, generator=generator)
    model = Mixture()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    steps = 1100
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=2e-4)
    for step in range(steps):
        pick = torch.randint(0, 6000, (24,))
        out, balance = model(hour[pick], harbour[pick])
        loss = F.mse_loss(out, height[pick]) + 0.01 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 200 == 0:
            print(f"step {step} loss {loss.item():.4f} balance {balance.item():.3f}")
    hour, harbour, height = observations(3000, generator)
    with torch.no_grad():
        out, _ = model(hour, harbour)
    print(f"metric: {1 - F.mse_loss(out, height).item() / height.var().item():.4f}")
