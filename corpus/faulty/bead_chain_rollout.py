"""A learned simulator of a chain of beads, trained through its own rollouts.

cause: exploding-gradients
family: simulator
metric: rollout error, lower
repair:
    - self.optimizer.step()
    + nn.utils.clip_grad_norm_(self.model.parameters(), 0.3)
    + self.optimizer.step()
"""

import torch
from torch import nn

BEADS, DT = 5, 0.1


def acceleration(q):
    padded = torch.nn.functional.pad(q, (1, 1))
    stretch = padded[:, 1:] - padded[:, :-1]
    force = 4.0 * stretch + 6.0 * stretch**3
    return force[:, 1:] - force[:, :-1]


def true_paths(count, steps):
    q, v = 0.3 * torch.randn(count, BEADS), 0.3 * torch.randn(count, BEADS)
    path = [torch.cat([q, v], 1)]
    for _ in range(steps):
        for _ in range(4):
            v = v + DT / 4 * acceleration(q)
            q = q + DT / 4 * v
        path.append(torch.cat([q, v], 1))
    return torch.stack(path, 1)


class Simulator(nn.Module):
    """The next state: the present one plus what the network says."""

    def __init__(self, hidden=64):
        super().__init__()
        self.push = nn.Sequential(
            nn.Linear(2 * BEADS, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 2 * BEADS),
        )  # fmt: skip

    def rollout(self, state, steps):
        states = [state]
        for _ in range(steps):
            state = state + 0.3 * self.push(state)
            states.append(state)
        return torch.stack(states, 1)


class Fit:
    def __init__(self, model, paths, horizon):
        self.model, self.paths, self.horizon = model, paths, horizon
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(self):
        rows = torch.randint(len(self.paths), (32,))
        start = torch.randint(self.paths.shape[1] - self.horizon, (1,)).item()
        wanted = self.paths[rows, start : start + self.horizon + 1]
        loss = (self.model.rollout(wanted[:, 0], self.horizon) - wanted).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def main():
    torch.manual_seed(21)
    paths, held_out = true_paths(200, 60), true_paths(50, 60)
    model = Simulator()
    fit = Fit(model, paths, horizon=30)
    for i in range(600):
        loss = fit.step()
        if i % 50 == 0:
            print(f"{i:4d} {loss:.4f}")
    with torch.no_grad():
        error = (model.rollout(held_out[:, 0], 10) - held_out[:, :11]).square().mean().sqrt()
    print(f"metric: {error.item():.4f}")


if __name__ == "__main__":
    main()
