"""The fuel use of a lorry over speed and load as a small tanh network, fitted by LBFGS with a closure.

family: mlp
metric: R², higher
"""

import torch
from torch import nn

torch.manual_seed(55)


def fuel(speed, load):
    drag = 0.002 * speed**2
    rolling = 0.25 * load + 4
    engine = 220 / (speed + 8)
    return drag + rolling + engine + 0.004 * load * speed * torch.sin(speed / 14)


def trips(n):
    speed = 10 + 85 * torch.rand(n, 1)
    load = 40 * torch.rand(n, 1)
    litres = fuel(speed, load) + 0.8 * torch.randn(n, 1)
    return torch.cat([(speed - 52) / 25, (load - 20) / 12], 1), litres


x, y = trips(600)
x_test, y_test = trips(400)
shift, scale = y.mean(), y.std()

net = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 1))
optimizer = torch.optim.LBFGS(
    net.parameters(), lr=1.0, max_iter=10, history_size=20, line_search_fn="strong_wolfe"
)


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(net(x), (y - shift) / scale)
    loss = loss + 1e-4 * sum(p.square().sum() for p in net.parameters())
    loss.backward()
    return loss


for step in range(120):
    loss = optimizer.step(closure)
    if step % 20 == 0:
        print(f"step {step}: {loss.item():.6f}")

with torch.no_grad():
    left = net(x_test) * scale + shift - y_test
print(f"metric: {1 - (left.var() / y_test.var()).item():.4f}")
