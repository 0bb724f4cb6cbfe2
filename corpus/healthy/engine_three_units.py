"""Power, temperature and wear of an engine by one net; how much each counts is learned too (Kendall 2018).

family: mlp
metric: mean R2 of the three, higher
"""

import torch
from torch import nn

torch.manual_seed(14)


def bench(n):
    speed, load, air, hours = torch.rand(4, n) * 2 - 1
    power = 60 + 40 * speed + 30 * load * (1 + speed) + 5 * torch.sin(4 * air) + 2 * torch.randn(n)
    heat = 1.2 + 0.3 * torch.exp(load) + 0.1 * speed**2 - 0.15 * air + 0.03 * torch.randn(n)
    wear = 0.002 * (1 + hours) ** 2 * (1 + 0.5 * load.abs()) + 2e-4 * torch.randn(n)
    return torch.stack([speed, load, air, hours], 1), torch.stack([power, heat, wear], 1)


x, y = bench(2500)
x_test, y_test = bench(800)
unit, zero = y.std(0), y.mean(0)


class Engine(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(64, 1) for name in ("power", "heat", "wear")})
        self.log_variance = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        h = self.trunk(x)
        return torch.cat([head(h) for head in self.heads.values()], 1)

    def loss(self, x, goal):
        each = (self(x) - goal).square().mean(0)
        return 0.5 * (each * torch.exp(-self.log_variance) + self.log_variance).sum(), each


engine = Engine()
optimizer = torch.optim.Adam(
    [
        {"params": [*engine.trunk.parameters(), *engine.heads.parameters()], "lr": 3e-3},
        {"params": [engine.log_variance], "lr": 1e-2},
    ]
)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, [6e-3, 2e-2], total_steps=30 * 40)
goal = (y - zero) / unit
for epoch in range(30):
    for rows in torch.randperm(len(x)).tensor_split(40):
        loss, each = engine.loss(x[rows], goal[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    if epoch % 5 == 4:
        shown = " ".join(f"{e:.4f}" for e in each.tolist())
        print(f"epoch {epoch + 1:2d} loss {loss.item():+.3f}  errors {shown}")

with torch.no_grad():
    miss = engine(x_test) * unit + zero - y_test
    r2 = 1 - miss.square().mean(0) / y_test.var(0)
print("R2", r2.tolist())
print("metric:", r2.mean().item())
