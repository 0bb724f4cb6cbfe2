"""A linear state space model of a gas well: pressure over time from the valve's openings.

cause: exploding-gradients
also: learning-rate-too-high
family: rnn
metric: mean squared error, lower
repair:
    - loss.backward()
    + loss.backward()
    + torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
"""

import numpy as np
import torch
from torch import nn


def simulate(runs, steps, rng):
    """Two slow reservoirs behind a choke; the valve is moved every now and then."""
    valve = np.zeros((runs, steps))
    level = rng.uniform(-1, 1, runs)
    for t in range(steps):
        move = rng.random(runs) < 0.08
        level = np.where(move, rng.uniform(-1, 1, runs), level)
        valve[:, t] = level
    near, far = np.zeros(runs), np.zeros(runs)
    pressure = np.zeros((runs, steps))
    for t in range(steps):
        near = near + 0.25 * (far - near) - 0.22 * valve[:, t]
        far = far + 0.12 * (near - far) - 0.05 * far
        pressure[:, t] = near + 0.03 * rng.normal(size=runs)
    return valve, pressure


class StateSpace(nn.Module):
    def __init__(self, n_states=12):
        super().__init__()
        self.A = nn.Parameter(0.9 * torch.eye(n_states) + 0.01 * torch.randn(n_states, n_states))
        self.B = nn.Parameter(0.3 * torch.randn(n_states))
        self.C = nn.Parameter(0.3 * torch.randn(n_states))

    def forward(self, u):
        state = u.new_zeros(len(u), len(self.B))
        outputs = []
        for t in range(u.shape[1]):
            state = state @ self.A.T + u[:, t, None] * self.B
            outputs.append(state @ self.C)
        return torch.stack(outputs, dim=1)


def main():
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    valve, pressure = simulate(640, 100, rng)
    mean, std = pressure[:500].mean(), pressure[:500].std()
    u = torch.tensor(valve, dtype=torch.float32)
    y = torch.tensor((pressure - mean) / std, dtype=torch.float32)
    model = StateSpace()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.003, momentum=0.9)
    for step in range(400):
        idx = torch.randint(0, 500, (32,))
        loss = ((model(u[idx]) - y[idx]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.5f}")
    with torch.no_grad():
        mse = ((model(u[500:]) - y[500:]) ** 2).mean().item()
    print(f"metric: {mse:.6f}")


if __name__ == "__main__":
    main()
