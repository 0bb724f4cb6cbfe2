"""A Gaussian process on monthly carbon dioxide: its kernel's numbers by the gradient of the evidence.

family: kernel
metric: root mean squared error in months left out, relative to the seasonal spread, lower
"""

import math

import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)

months = torch.arange(168) / 12
ppm = 338 + 1.4 * months + 0.03 * months**2 + 2.8 * torch.sin(2 * math.pi * months)
ppm += 0.9 * torch.cos(4 * math.pi * months) + 0.5 * torch.sin(2 * math.pi * months / 4.3)
ppm += 0.25 * torch.randn(168)
missing = torch.zeros(168, dtype=torch.bool)
missing[torch.randperm(168)[:30]] = True
t, y = months[~missing], ppm[~missing]
t_new, y_new = months[missing], ppm[missing]
powers = torch.stack([torch.ones(168), months, months**2], 1)
curve = powers @ torch.linalg.lstsq(powers[~missing], y[:, None]).solution[:, 0]
scale = (y - curve[~missing]).std()
y = (y - curve[~missing]) / scale

log = {
    name: torch.tensor(math.log(value), requires_grad=True)
    for name, value in [
        ("trend", 0.3),
        ("trend_len", 5.0),
        ("season", 1.0),
        ("season_len", 1.0),
        ("wave", 0.3),
        ("wave_len", 1.0),
        ("noise", 0.3),
    ]
}


def kernel(a, b):
    gap = a[:, None] - b[None, :]
    v = {name: value.exp() for name, value in log.items()}
    trend = v["trend"] ** 2 * torch.exp(-0.5 * (gap / v["trend_len"]) ** 2)
    season = v["season"] ** 2 * torch.exp(-2 * (torch.sin(math.pi * gap) / v["season_len"]) ** 2)
    wave = v["wave"] ** 2 * torch.exp(-0.5 * (gap / v["wave_len"]) ** 2)
    return trend + season + wave


def factor():
    return torch.linalg.cholesky(kernel(t, t) + (log["noise"].exp() ** 2 + 1e-8) * torch.eye(len(t)))


def negative_evidence():
    L = factor()
    alpha = torch.cholesky_solve(y[:, None], L)[:, 0]
    return 0.5 * y @ alpha + L.diagonal().log().sum() + 0.5 * len(y) * math.log(2 * math.pi)


optimizer = torch.optim.Adam(log.values(), lr=0.05)
for step in range(300):
    optimizer.zero_grad()
    loss = negative_evidence()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, round(loss.item(), 2), {k: round(v.exp().item(), 3) for k, v in log.items()})

with torch.no_grad():
    mean = kernel(t_new, t) @ torch.cholesky_solve(y[:, None], factor())[:, 0] * scale + curve[missing]
    rmse = (mean - y_new).square().mean().sqrt()
print("rmse in ppm", rmse.item())
print("metric:", (rmse / (y_new - curve[missing]).std()).item())
