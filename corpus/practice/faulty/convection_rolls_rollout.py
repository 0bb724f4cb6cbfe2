"""A network learns one step of a convection model, trained through long rollouts.

cause: exploding-gradients
family: dynamics
metric: error, lower
repair:
    - optimizer.step()
    + nn.utils.clip_grad_norm_(stepper.parameters(), 1.0)
    + optimizer.step()
"""

import torch
from torch import nn

DT = 0.04


def lorenz(s):
    x, y, z = s.unbind(-1)
    return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], -1)


def rk4(s, dt, f=lorenz, sub=4):
    h = dt / sub
    for _ in range(sub):
        k1 = f(s)
        k2 = f(s + h / 2 * k1)
        k3 = f(s + h / 2 * k2)
        k4 = f(s + h * k3)
        s = s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s


def trajectory(length, start):
    states, s = [], torch.tensor(start)
    for _ in range(length + 100):
        s = rk4(s, DT)
        states.append(s)
    return torch.stack(states[100:])


class Stepper(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 3)
        )

    def forward(self, s):
        return s + self.net(s)


def rollout(stepper, s, steps):
    path = []
    for _ in range(steps):
        s = stepper(s)
        path.append(s)
    return torch.stack(path, 1)


if __name__ == "__main__":
    torch.manual_seed(3)
    data = trajectory(3000, [1.0, 2.0, 20.0])
    held_out = trajectory(1000, [-4.0, 1.0, 25.0])
    mean, std = data.mean(0), data.std(0)
    data, held_out = (data - mean) / std, (held_out - mean) / std

    horizon = 25
    stepper = Stepper()
    optimizer = torch.optim.SGD(stepper.parameters(), lr=0.05, momentum=0.9)
    for iteration in range(501):
        start = torch.randint(0, len(data) - horizon, (64,))
        window = data[start[:, None] + torch.arange(horizon + 1)]
        predicted = rollout(stepper, window[:, 0], horizon)
        loss = (predicted - window[:, 1:]).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % 50 == 0:
            print(f"iteration {iteration}: rollout loss {loss.item():.4f}")

    with torch.no_grad():
        error = (rollout(stepper, held_out[:-5], 5)[:, -1] - held_out[5:]).pow(2).mean().item()
    print(f"error after five steps: {error:.4f}")
    print(f"metric: {error:.4f}")
