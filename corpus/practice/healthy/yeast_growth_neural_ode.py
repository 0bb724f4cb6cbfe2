"""Yeast in a bioreactor: sugar, ethanol and cell mass follow a neural ODE fitted by unrolled Runge-Kutta.

family: neural ode
metric: root mean squared error of unseen batches relative to the spread of the data, lower
"""

import torch
from torch import nn

torch.manual_seed(33)
STEPS, DT = 20, 0.5


def truth(s):
    cells, sugar, ethanol = s.unbind(-1)
    mu = 0.45 * sugar / (0.8 + sugar) * (1 - ethanol / 6).clamp(min=0)
    return torch.stack([mu * cells, -1.8 * mu * cells, 0.8 * mu * cells - 0.02 * ethanol], -1)


def rk4(f, s, dt):
    k1 = f(s)
    k2 = f(s + dt / 2 * k1)
    k3 = f(s + dt / 2 * k2)
    k4 = f(s + dt * k3)
    return s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def integrate(f, s, steps):
    states = [s]
    for _ in range(steps):
        states.append(rk4(f, states[-1], DT))
    return torch.stack(states, 1)


def batches(n):
    start = torch.stack([0.1 + 0.5 * torch.rand(n), 3 + 5 * torch.rand(n), 0.5 * torch.rand(n)], -1)
    clean = integrate(truth, start, STEPS)
    return clean, clean + 0.08 * torch.randn_like(clean)


class Rates(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.net = nn.Sequential(nn.Linear(3, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 3))
        nn.init.normal_(self.net[-1].weight, std=0.01)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, s):
        return self.net((s - self.mean) / self.std) * self.std


_, train = batches(120)
test_clean, test = batches(40)
mean, std = train.mean((0, 1)), train.std((0, 1))
rates = Rates(mean, std)
optimizer = torch.optim.AdamW(rates.parameters(), lr=4e-3, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 350, eta_min=1e-4)
for it in range(350):
    # short windows from anywhere in a batch
    length = 8 if it < 150 else 12
    who = torch.randint(0, len(train), (32,))
    begin = torch.randint(0, STEPS - length + 1, (32,))
    window = train[who[:, None], begin[:, None] + torch.arange(length + 1)]
    predicted = integrate(rates, window[:, 0], length)
    loss = ((predicted - window) / std)[:, 1:].pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(rates.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    if it % 50 == 0:
        with torch.no_grad():
            whole = integrate(rates, test[:, 0], STEPS)
            rmse = ((whole - test_clean) / std).pow(2).mean().sqrt().item()
        print(f"it {it} window loss {loss.item():.5f} whole test trajectories {rmse:.4f}")

with torch.no_grad():
    whole = integrate(rates, test[:, 0], STEPS)
    rmse = ((whole - test_clean) / std).pow(2).mean().sqrt().item()
    exact_rates = ((integrate(truth, test[:, 0], STEPS) - test_clean) / std).pow(2).mean().sqrt().item()
print(f"true equations from the same noisy starts: {exact_rates:.4f}")
print(f"metric: {rmse:.4f}")
