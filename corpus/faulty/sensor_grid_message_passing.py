"""Message passing over nets of water sensors: how alarmed each station should be, given its neighbours.

cause: missing-activation
family: gnn
metric: R2, higher
repair:
    - F.silu(h)
    + h = F.silu(h)
"""

import torch
import torch.nn.functional as F
from torch import nn


def networks(n, stations=14):
    """Stations in the plane, near ones joined; alarm is where a station stands out from those around it."""
    place = torch.rand(n, stations, 2)
    near = (torch.cdist(place, place) < 0.35).float()
    level = torch.randn(n, stations, 1)
    flow = torch.randn(n, stations, 1)
    mean = near @ level / near.sum(-1, keepdim=True)
    alarm = (level - mean).abs() + 0.7 * torch.relu(flow * level)
    return near, torch.cat([level, flow], -1), alarm.squeeze(-1) + 0.1 * torch.randn(n, stations)


class Passing(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.own = nn.Linear(width, width)
        self.others = nn.Linear(width, width, bias=False)

    def forward(self, near, h):
        heard = near @ h / near.sum(-1, keepdim=True)
        h = self.own(h) + self.others(heard)
        F.silu(h)
        return h


class StationNet(nn.Module):
    def __init__(self, width=32, rounds=3):
        super().__init__()
        self.lift = nn.Linear(2, width)
        self.rounds = nn.ModuleList(Passing(width) for _ in range(rounds))
        self.read = nn.Linear(width, 1)

    def forward(self, near, features):
        h = self.lift(features)
        for passing in self.rounds:
            h = passing(near, h)
        return self.read(h).squeeze(-1)


def r2(net, near, features, alarm):
    with torch.no_grad():
        rest = (net(near, features) - alarm).square().sum()
    return 1 - (rest / (alarm - alarm.mean()).square().sum()).item()


torch.manual_seed(77)
test = networks(300)
net = StationNet()
optimizer = torch.optim.NAdam(net.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.995)
for step in range(500):
    near, features, alarm = networks(32)
    loss = F.mse_loss(net(near, features), alarm)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 99:
        print(f"step {step + 1}: loss {loss.item():.4f}, R2 {r2(net, *test):.3f}")
print(f"metric: {r2(net, *test):.4f}")
