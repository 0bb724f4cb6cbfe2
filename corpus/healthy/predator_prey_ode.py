"""Predators and prey: a net for the rates of change, fitted through a Runge-Kutta solver.

family: mlp
metric: mae, lower
"""

import torch
from torch import nn


def runge_kutta(f, state, dt, steps):
    path = [state]
    for _ in range(steps):
        k1 = f(state)
        k2 = f(state + dt / 2 * k1)
        k3 = f(state + dt / 2 * k2)
        k4 = f(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(state)
    return torch.stack(path)


def lotka_volterra(state):
    prey, predators = state.unbind(-1)
    return torch.stack([1.1 * prey - 0.6 * prey * predators, 0.4 * prey * predators - 0.8 * predators], -1)


class Rates(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(2, 40), nn.Softplus(), nn.Linear(40, 40), nn.Softplus(), nn.Linear(40, 2)
        )
        # No change at all to begin with: the solver cannot run away.
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, state):
        return self.net((state - 1.8) / 1.2)


DT = 0.1


def main():
    torch.manual_seed(12)
    starts = 0.8 + 2.2 * torch.rand(40, 2)
    with torch.no_grad():
        seen = runge_kutta(lotka_volterra, starts[:30], DT, 60)
        seen = seen + 0.02 * torch.randn_like(seen)
        unseen = runge_kutta(lotka_volterra, starts[30:], DT, 30)
    rates = Rates()
    optimizer = torch.optim.Adam(rates.parameters(), lr=5e-3)
    steps = 420
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=1e-4)
    for step in range(steps):
        horizon = 2 + 8 * step // steps
        begin = torch.randint(0, 60 - horizon, (64,))
        which = torch.randint(0, 30, (64,))
        target = torch.stack([seen[begin + k, which] for k in range(horizon + 1)])
        path = runge_kutta(rates, target[0], DT, horizon)
        loss = (path - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(rates.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 60 == 0:
            print(f"{step:4d} horizon {horizon:2d} error {loss.item():.4f}")
    with torch.no_grad():
        path = runge_kutta(rates, unseen[0], DT, 30)
    print(f"metric: {(path - unseen).abs().mean().item():.5f}")


if __name__ == "__main__":
    main()
