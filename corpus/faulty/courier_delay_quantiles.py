"""Quantiles of a courier's delay from distance, load, rain and hour, with an optimizer written by hand.

cause: momentum-too-high
family: mlp
metric: pinball loss above the true quantiles', lower
repair:
    - v.mul_(0.998).add_(p.grad)
    + v.mul_(0.9).add_(p.grad)
"""

import torch

QUANTILES = torch.tensor([0.1, 0.5, 0.9])


def delays(n, g):
    distance, load, rain, hour = torch.rand(4, n, generator=g)
    middle = 2 * distance**2 + 1.5 * load * rain + torch.sin(6.28 * hour) * (1 + distance)
    spread = 0.2 + 0.8 * rain + 0.5 * load
    noise = torch.empty(n).exponential_(generator=g) - 0.7
    x = torch.stack([distance, load, rain, hour], 1) * 2 - 1
    true = middle.unsqueeze(1) - spread.unsqueeze(1) * (torch.log(1 - QUANTILES) + 0.7)
    return x, middle + spread * noise, true


def weight(rows, columns):
    return (torch.randn(rows, columns) * (2 / rows) ** 0.5).requires_grad_()


def bias(size):
    return torch.zeros(size, requires_grad=True)


def network(params, x):
    w1, b1, w2, b2, w3, b3 = params
    h = torch.relu(x @ w1 + b1)
    h = torch.relu(h @ w2 + b2)
    return h @ w3 + b3


def pinball(predicted, y):
    error = y.unsqueeze(1) - predicted
    return torch.maximum(QUANTILES * error, (QUANTILES - 1) * error).mean()


torch.manual_seed(6)
g = torch.Generator().manual_seed(6)
train_x, train_y, _ = delays(4000, g)
test_x, test_y, test_true = delays(1000, g)
params = [weight(4, 40), bias(40), weight(40, 40), bias(40), weight(40, 3), bias(3)]
velocity = [torch.zeros_like(p) for p in params]
rate = 0.02

for step in range(1500):
    rows = torch.randint(len(train_x), (64,), generator=g)
    loss = pinball(network(params, train_x[rows]), train_y[rows])
    loss.backward()
    with torch.no_grad():
        for p, v in zip(params, velocity, strict=True):
            v.mul_(0.998).add_(p.grad)
            p.sub_(rate * v)
            p.grad = None
    if step % 250 == 0:
        print(f"{step:5d}  {loss.item():.4f}")

with torch.no_grad():
    excess = pinball(network(params, test_x), test_y) - pinball(test_true, test_y)
    print(f"metric: {excess.item():.5f}")
