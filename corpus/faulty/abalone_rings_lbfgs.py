"""The age of generated shellfish from their measures, by a small network and L-BFGS.

cause: missing-zero-grad
family: mlp
metric: r2, higher
repair:
    - output = model(x_train)
    + optimizer.zero_grad()
    + output = model(x_train)
"""

import numpy as np
import torch
from torch import nn

torch.manual_seed(27)
rng = np.random.default_rng(27)


def shellfish(count):
    age = rng.uniform(1, 20, count)
    length = 0.7 * (1 - np.exp(-0.22 * age)) + 0.02 * rng.normal(size=count)
    diameter = 0.8 * length + 0.01 * rng.normal(size=count)
    height = 0.3 * length + 0.008 * rng.normal(size=count)
    shell = 0.9 * length**3 * (1 + 0.05 * age) + 0.01 * rng.normal(size=count)
    sex = rng.integers(0, 3, count)
    columns = [length, diameter, height, shell, *(sex == k for k in range(3))]
    return np.stack(columns, 1).astype(np.float32), age.astype(np.float32)[:, None]


x, y = (torch.from_numpy(part) for part in shellfish(1500))
x = (x - x[:1200].mean(0)) / x[:1200].std(0)
y = (y - y[:1200].mean()) / y[:1200].std()
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]

model = nn.Sequential(nn.Linear(7, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
loss_fn = nn.MSELoss()
optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
values = []


def closure():
    output = model(x_train)
    loss = loss_fn(output, y_train)
    loss.backward()
    values.append(loss.item())
    return loss


for step in range(16):
    loss = optimizer.step(closure)
    if step % 5 == 0:
        print(f"step {step:3d}  loss {loss.item():.5f}  evaluations {len(values)}")

model.eval()
with torch.no_grad():
    residual = (model(x_test) - y_test).square().sum()
    r2 = 1 - residual / (y_test - y_test.mean()).square().sum()
print(f"metric: {r2.item():.4f}")
