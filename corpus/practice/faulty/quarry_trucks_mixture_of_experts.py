"""What a quarry's truck is doing, from its sensors: an expert per depot, then all of them under a gate.

cause: softmax-before-cross-entropy
begins: 61
family: mixture of experts
metric: accuracy, higher
repair:
    - loss = F.cross_entropy(mixture(x), y)
    + loss = F.nll_loss(mixture(x).log(), y)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DEPOTS, JOBS, SENSORS = 4, 14, 12


def shifts(n, seed):
    """At every depot the jobs look different; the first four sensors give the depot away, with noise."""
    world = np.random.default_rng(5)
    places = world.normal(0, 1.2, (DEPOTS, 4))
    jobs = world.normal(0, 1.1, (DEPOTS, JOBS, SENSORS - 4))
    rng = np.random.default_rng(seed)
    depot, job = rng.integers(DEPOTS, size=n), rng.integers(JOBS, size=n)
    x = np.concatenate([places[depot], jobs[depot, job]], 1) + rng.normal(0, 0.55, (n, SENSORS))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(job), torch.tensor(depot)


class Expert(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(SENSORS, width), nn.ReLU(), nn.Linear(width, JOBS))

    def forward(self, x):
        return self.net(x)


class Mixture(nn.Module):
    def __init__(self, experts):
        super().__init__()
        self.experts = nn.ModuleList(experts)
        self.gate = nn.Sequential(nn.Linear(SENSORS, 24), nn.ReLU(), nn.Linear(24, len(experts)))

    def forward(self, x):
        opinions = torch.stack([expert(x).softmax(-1) for expert in self.experts], 1)
        trust = self.gate(x).softmax(-1).unsqueeze(-1)
        return (trust * opinions).sum(1)


torch.manual_seed(5)
x_train, y_train, depot_train = shifts(3200, 50)
x_test, y_test, _ = shifts(1500, 51)

# 1. an expert for every depot, briefly, on what the depot sent first
experts = [Expert() for _ in range(DEPOTS)]
for k, expert in enumerate(experts):
    own = torch.nonzero(depot_train == k).squeeze(1)[:160]
    optimizer = torch.optim.SGD(expert.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        for index in own[torch.randperm(len(own))].split(32):
            optimizer.zero_grad()
            F.cross_entropy(expert(x_train[index]), y_train[index]).backward()
            optimizer.step()

# 2. all together
mixture = Mixture(experts)
optimizer = torch.optim.SGD(mixture.parameters(), lr=0.1, momentum=0.9)
for epoch in range(15):
    for index in torch.randperm(len(x_train)).split(64):
        x, y = x_train[index], y_train[index]
        loss = F.cross_entropy(mixture(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (mixture(x_test).argmax(1) == y_test).float().mean().item()
    print(f"{epoch:2d} {loss.item():.4f} {accuracy:.4f}")
print(f"metric: {accuracy:.4f}")
