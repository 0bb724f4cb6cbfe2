"""The strength of a brick from its kiln's log: a deep tanh network whose start is calibrated on data (LSUV).

cause: parameters-not-in-optimizer
family: mlp
metric: R², higher
repair:
    - optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
    - calibrate(net, x_train[:256])
    + calibrate(net, x_train[:256])
    + optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
"""

import argparse
from itertools import pairwise

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=6)
parser.add_argument("--width", type=int, default=48)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=14)
args = parser.parse_args([])


def kiln_log(n, seed):
    g = torch.Generator().manual_seed(seed)
    peak, hold, slope, clay, damp, place = torch.randn(6, n, generator=g)
    fired = torch.sigmoid(2 * peak + hold)
    cracks = torch.relu(slope + damp - 0.5) ** 2
    strength = 3 * fired * (1 + 0.3 * clay) - cracks + 0.4 * torch.cos(2 * place) * damp
    x = torch.stack([peak, hold, slope, clay, damp, place], 1)
    return x, (strength + 0.1 * torch.randn(n, generator=g)).unsqueeze(1)


def deep_net(inputs, width, depth):
    sizes = [inputs] + [width] * depth
    layers = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


@torch.no_grad()
def calibrate(net, x, rounds=5):
    """Layer-sequential unit variance (Mishkin & Matas): orthonormal, then scaled until outputs have std 1."""
    for layer in net:
        if isinstance(layer, nn.Linear):
            weight = nn.init.orthogonal_(torch.empty_like(layer.weight))
            for _ in range(rounds):
                std = (x @ weight.T + layer.bias).std()
                weight = weight / std
            layer.weight = nn.Parameter(weight)
        x = layer(x)


torch.manual_seed(args.seed)
x_train, y_train = kiln_log(2000, 1)
x_test, y_test = kiln_log(800, 2)

net = deep_net(x_train.shape[1], args.width, args.depth)
optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
calibrate(net, x_train[:256])
criterion = nn.MSELoss()

for epoch in range(1, args.epochs + 1):
    for rows in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = criterion(net(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        r2 = 1 - criterion(net(x_test), y_test) / y_test.var()
    print(f"[{epoch:02d}/{args.epochs}] loss {loss.item():.4f} R² {r2.item():.4f}")
print(f"metric: {r2.item():.4f}")
