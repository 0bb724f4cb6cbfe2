"""Strength of concrete by twelve small networks at once (vmap), each on its own resampling of the data.

family: mlp
metric: R2, higher
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state

rng = np.random.default_rng(2)
torch.manual_seed(2)


def mixes(n):
    cement, water, slag, ash = (
        rng.uniform(150, 500, n),
        rng.uniform(130, 230, n),
        rng.exponential(60, n),
        rng.exponential(40, n),
    )
    age = rng.choice([3, 7, 14, 28, 56, 90, 180], n)
    binder = cement + 0.7 * slag + 0.4 * ash
    strength = 27 * (binder / water) ** 0.9 * np.log1p(age) / np.log(29) - 6 + 3.5 * rng.standard_normal(n)
    return np.column_stack([cement, water, slag, ash, np.log(age)]), strength


X, y = mixes(700)
X_test, y_test = mixes(400)
centre, spread = X.mean(0), X.std(0)
X, X_test = (torch.tensor((a - centre) / spread, dtype=torch.float32) for a in (X, X_test))
mean, std = y.mean(), y.std()
y, y_test = (torch.tensor((a - mean) / std, dtype=torch.float32) for a in (y, y_test))

MEMBERS = 12
members = [nn.Sequential(nn.Linear(5, 32), nn.GELU(), nn.Linear(32, 1)) for _ in range(MEMBERS)]
skeleton = copy.deepcopy(members[0]).to("meta")
params, buffers = stack_module_state(members)


def predict(p, b, x):
    return functional_call(skeleton, (p, b), (x,)).squeeze(-1)


everyone = torch.vmap(predict, in_dims=(0, 0, None))
own = torch.vmap(predict, in_dims=(0, 0, 0))
bags = torch.randint(0, len(X), (MEMBERS, len(X)))
optimizer = torch.optim.AdamW(params.values(), lr=1e-2, weight_decay=1e-3)
for epoch in range(70):
    shuffled = bags[:, torch.randperm(len(X))]
    for rows in shuffled.split(70, dim=1):
        loss = (own(params, buffers, X[rows]) - y[rows]).square().mean(1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        with torch.no_grad():
            guess = everyone(params, buffers, X_test)
        rmse = (guess.mean(0) - y_test).square().mean().sqrt().item() * std
        print(f"epoch {epoch:2d}  loss {loss.item() / MEMBERS:.4f}  rmse {rmse:.2f} MPa")

with torch.no_grad():
    guess = everyone(params, buffers, X_test).mean(0)
print("metric:", (1 - (guess - y_test).square().sum() / (y_test - y_test.mean()).square().sum()).item())
