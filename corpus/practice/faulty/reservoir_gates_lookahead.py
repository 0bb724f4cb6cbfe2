"""When to open the gates of a reservoir: a network for the value of the water, fitted by dynamic programming.

cause: loss-broadcast
family: rl
metric: yearly earnings, higher
repair:
    - gap = value(state) - goal
    + gap = value(state).squeeze(-1) - goal
"""

import copy

import torch
from torch import nn

WEEKS = 52
RELEASES = torch.tensor([0.0, 0.03, 0.06])
DISCOUNT = 0.97


def inflow(week, noise):
    return (0.025 + 0.02 * torch.sin(2 * torch.pi * (week - 10) / WEEKS)) * torch.exp(0.4 * noise)


def price(week):
    return 1.0 + 0.7 * torch.cos(2 * torch.pi * week / WEEKS)


def advance(level, week, release, noise):
    """One week on: the earnings, and the level at its end."""
    release = torch.minimum(release, level)
    head = 0.2 + 0.8 * level
    level = level - release + inflow(week, noise)
    flood = (level - 1.0).clamp(min=0.0)
    return 30 * price(week) * release * head - 80 * flood, level.clamp(max=1.0)


def features(level, week):
    angle = 2 * torch.pi * week / WEEKS
    return torch.stack([4 * level - 2, torch.sin(angle), torch.cos(angle)], dim=-1)


def prospects(net, level, week, draws):
    """What each release is worth, averaged over draws of the inflow: (releases, states)."""
    shape = (len(RELEASES), draws, len(level))
    noise = torch.randn(draws, len(level)).expand(shape)
    earned, after = advance(
        level.expand(shape), week.expand(shape), RELEASES[:, None, None].expand(shape), noise
    )
    future = net(features(after, (week + 1).expand(shape))).view(shape)
    return (earned + DISCOUNT * future).mean(1)


@torch.no_grad()
def run_years(net, years=3, reservoirs=300):
    level, total = torch.full((reservoirs,), 0.5), 0.0
    for w in range(years * WEEKS):
        week = torch.full((reservoirs,), float(w % WEEKS))
        choice = prospects(net, level, week, 8).argmax(0)
        earned, level = advance(level, week, RELEASES[choice], torch.randn(reservoirs))
        total += earned.mean().item()
    return total / years


if __name__ == "__main__":
    torch.manual_seed(72)
    value = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
    frozen = copy.deepcopy(value)
    optimizer = torch.optim.Adam(value.parameters(), lr=2e-3)
    for step in range(1, 1201):
        level = torch.rand(128)
        week = torch.randint(0, WEEKS, (128,)).float()
        with torch.no_grad():
            goal = prospects(frozen, level, week, 4).max(0).values
        state = features(level, week)
        gap = value(state) - goal
        loss = gap.pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            frozen.load_state_dict(value.state_dict())
        if step % 300 == 0:
            print(f"step {step}: loss {loss.item():.4f}, earnings {run_years(value, 1):.3f}")
    print(f"metric: {run_years(value):.4f}")
