"""Initial weights from which one sees a new sine wave after a few gradient steps (MAML).

family: mlp
metric: mean squared error after adapting to ten points, lower
"""

import math

import torch
import torch.nn as nn
from torch.func import functional_call, grad, vmap

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
weights = dict(net.named_parameters())
INNER = 0.02


def tasks(n, shots=10, queries=20):
    height, phase = 0.5 + 4 * torch.rand(n, 1, 1), math.pi * torch.rand(n, 1, 1)
    x = 10 * torch.rand(n, shots + queries, 1) - 5
    y = height * torch.sin(x + phase)
    return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


def fit(w, x, y):
    return nn.functional.mse_loss(functional_call(net, w, (x,)), y)


def adapted_loss(w, x, y, x_new, y_new, steps):
    for _ in range(steps):
        g = grad(fit)(w, x, y)
        w = {k: w[k] - INNER * g[k] for k in w}
    return fit(w, x_new, y_new)


def meta_loss(batch, steps):
    return vmap(lambda *task: adapted_loss(weights, *task, steps))(*batch).mean()


outer = torch.optim.Adam(net.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.StepLR(outer, 500, 0.4)
for it in range(1000):
    loss = meta_loss(tasks(25), 1)
    outer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 10.0)
    outer.step()
    schedule.step()
    if it % 100 == 0:
        print(f"iteration {it:4d}  after one step {loss.item():.3f}")

new = tasks(300)
print("without adapting", fit(weights, new[2], new[3]).item())
print("metric:", meta_loss(new, 5).item())
