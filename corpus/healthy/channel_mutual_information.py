"""How much a noisy channel's output tells of its input: a lower bound on the mutual information, raised.

family: mlp
metric: relative error of the mutual information, lower
"""

import math

import torch
from torch import nn

torch.manual_seed(0)
DIM, RHO, BATCH = 4, 0.7, 256
truth = -0.5 * DIM * math.log(1 - RHO**2)


def channel(n):
    sent = torch.randn(n, DIM)
    received = RHO * sent + math.sqrt(1 - RHO**2) * torch.randn(n, DIM)
    return sent, received**3


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = self.tower()
        self.g = self.tower()

    @staticmethod
    def tower():
        return nn.Sequential(nn.Linear(DIM, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))

    def forward(self, a, b):
        return self.f(a) @ self.g(b.sign() * b.abs().sqrt()).T


def info_nce(scores):
    return scores.diagonal().mean() - scores.logsumexp(1).mean() + math.log(len(scores))


critic = Critic()
optimizer = torch.optim.Adam(critic.parameters(), lr=1e-3, maximize=True)
for step in range(1000):
    bound = info_nce(critic(*channel(BATCH)))
    optimizer.zero_grad()
    bound.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step:4d}: at least {bound.item():.3f} nats (truly {truth:.3f})")

with torch.no_grad():
    estimate = sum(info_nce(critic(*channel(1000))) for _ in range(20)) / 20
print("estimate", estimate.item())
print("metric:", abs(estimate.item() - truth) / truth)
