"""The tide of a harbour from ten readings of its gauge: a net that is quickly retrained (first-order MAML).

cause: missing-zero-grad
family: meta-learning
metric: mean squared error, lower
repair:
    - outer = 0.0
    + outer = 0.0
    + optimizer.zero_grad()
"""

import math

import torch
from torch import nn
from torch.func import functional_call

INNER_LR, INNER_STEPS = 0.05, 3


def harbour(g):
    """A function from the hour (scaled) to the level at one place."""
    height = 0.5 + 2.5 * torch.rand(1, generator=g)
    lag = math.pi * torch.rand(1, generator=g)
    return lambda hour: height * torch.sin(hour + lag)


def readings(tide, n, g):
    hour = 10 * torch.rand(n, 1, generator=g) - 5
    return hour, tide(hour)


def adapt(net, params, hour, level):
    """Weights after a few steps on a harbour's readings; the originals stay."""
    fast = params
    for _ in range(INNER_STEPS):
        loss = nn.functional.mse_loss(functional_call(net, fast, (hour,)), level)
        grads = torch.autograd.grad(loss, list(fast.values()))
        fast = {
            name: (weight - INNER_LR * grad).detach().requires_grad_()
            for (name, weight), grad in zip(fast.items(), grads, strict=True)
        }
    return fast


def evaluate(net, harbours=60):
    g = torch.Generator().manual_seed(99)
    params = dict(net.named_parameters())
    total = 0.0
    for _ in range(harbours):
        tide = harbour(g)
        fast = adapt(net, params, *readings(tide, 10, g))
        hour, level = readings(tide, 50, g)
        with torch.no_grad():
            total += nn.functional.mse_loss(functional_call(net, fast, (hour,)), level).item()
    return total / harbours


torch.manual_seed(31)
g = torch.Generator().manual_seed(31)
net = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
params = dict(net.named_parameters())
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)

for iteration in range(1, 501):
    outer = 0.0
    for _ in range(4):
        tide = harbour(g)
        fast = adapt(net, params, *readings(tide, 10, g))
        hour, level = readings(tide, 10, g)
        loss = nn.functional.mse_loss(functional_call(net, fast, (hour,)), level)
        for p, grad in zip(params.values(), torch.autograd.grad(loss, list(fast.values())), strict=True):
            p.grad = grad / 4 if p.grad is None else p.grad + grad / 4
        outer += loss.item() / 4
    optimizer.step()
    if iteration % 100 == 0:
        print(f"{iteration}: {outer:.4f}")

print(f"metric: {evaluate(net):.4f}")
