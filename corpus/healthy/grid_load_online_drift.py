"""Hourly load of a power grid that slowly changes its habits: forecast, see what came, learn from it, go on.

family: linear
metric: absolute error relative to the same hour of yesterday, lower
"""

import math

import numpy as np
import torch

rng = np.random.default_rng(5)
torch.manual_seed(5)

HOURS = 24 * 250
t = np.arange(HOURS)
day = np.sin(2 * math.pi * t / 24 - 2 + 0.5 * t / HOURS)
evening = np.cos(4 * math.pi * t / 24) * (0.3 + 0.5 * t / HOURS)
weekend = np.where((t // 24) % 7 >= 5, -0.8, 0.0)
weather = np.zeros(HOURS)
for i in range(1, HOURS):
    weather[i] = 0.97 * weather[i - 1] + 0.12 * rng.standard_normal()
load = 5 + day + evening + weekend + weather * (1 - 0.6 * t / HOURS) + 0.15 * rng.standard_normal(HOURS)


def features(i):
    """What is known at noon of the day before hour i."""
    clock = 2 * math.pi * (i % 24) / 24
    harmonics = [f(k * clock) for k in (1, 2, 3) for f in (math.sin, math.cos)]
    free = float((i // 24) % 7 >= 5)
    past = [load[i - 24] - 5, load[i - 168] - 5, load[i - 192 : i - 24].mean() - 5]
    return torch.tensor([1.0, free, weather[i], *past, *harmonics], dtype=torch.float32)


weights = torch.zeros(12, requires_grad=True)
optimizer = torch.optim.SGD([weights], lr=0.01)
errors, naive = [], []
for hour in range(192, HOURS):
    forecast = 5 + weights @ features(hour)
    miss = float(load[hour]) - forecast
    errors.append(abs(miss.item()))
    naive.append(abs(load[hour] - load[hour - 24]))
    optimizer.zero_grad()
    (0.5 * miss**2).backward()
    optimizer.step()
    if hour % 500 == 0:
        print(f"hour {hour:5d}: {np.mean(errors[-500:]):.3f} (yesterday's hour {np.mean(naive[-500:]):.3f})")

print("metric:", np.mean(errors[1000:]) / np.mean(naive[1000:]))
