"""Daily melt of a glacier from its weather station: eight networks in one, by vmap over stacked weights.

cause: loss-broadcast
family: ensemble
metric: mean squared error, lower
repair:
    - predictions = ensemble(params, x)
    + predictions = ensemble(params, x).squeeze(-1)
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

MEMBERS = 8


def station(days, seed):
    rng = np.random.default_rng(seed)
    season = np.sin(np.linspace(0, 2 * np.pi * days / 365, days))
    warmth = 6 * season + rng.normal(0, 3, days)
    sun = np.clip(180 + 120 * season + rng.normal(0, 60, days), 5, None)
    snow = np.clip(40 - 45 * season + rng.normal(0, 15, days), 0, None)
    wind = rng.gamma(2, 2, days)
    albedo = 0.35 + 0.5 * np.tanh(snow / 20)
    melt = np.maximum(0, 0.8 * warmth + 0.04 * sun * (1 - albedo) + 0.15 * wind * np.maximum(warmth, 0) - 1)
    melt = melt + rng.normal(0, 0.4, days)
    x = np.stack([(warmth - 1) / 5, (sun - 180) / 100, (snow - 30) / 30, (wind - 4) / 3], axis=1)
    return torch.from_numpy(x).float(), torch.from_numpy(melt / 5).float()


def member():
    return nn.Sequential(nn.Linear(4, 32), nn.ELU(), nn.Linear(32, 32), nn.ELU(), nn.Linear(32, 1))


torch.manual_seed(4)
x_train, y_train = station(2200, 4)
x_test, y_test = station(730, 5)

members = [member() for _ in range(MEMBERS)]
params, _ = stack_module_state(members)
skeleton = copy.deepcopy(members[0]).to("meta")


def one(params, x):
    return functional_call(skeleton, params, (x,))


ensemble = vmap(one, in_dims=(0, None))
optimizer = torch.optim.RMSprop(params.values(), lr=1e-3)

for epoch in range(25):
    for day in torch.randperm(len(x_train)).split(40):
        x, y = x_train[day], y_train[day]
        predictions = ensemble(params, x)
        # the members are independent: the sum of their losses trains each on its own
        loss = (predictions - y).pow(2).flatten(1).mean(1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if (epoch + 1) % 5 == 0:
        with torch.no_grad():
            predictions = ensemble(params, x_test).view(MEMBERS, -1)
        mse = (predictions.mean(0) - y_test).pow(2).mean().item()
        spread = predictions.std(0).mean().item()
        print(f"{epoch + 1:3d}  training {loss.item() / MEMBERS:.4f}  test {mse:.4f}  spread {spread:.4f}")

print(f"metric: {mse:.5f}")
