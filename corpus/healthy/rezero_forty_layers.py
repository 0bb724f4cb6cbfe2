"""Forty residual layers, every branch multiplied by a number that starts at zero (ReZero), on two spirals.

family: mlp
metric: accuracy, higher
"""

import math

import torch
from torch import nn

torch.manual_seed(0)


def spirals(n):
    t = torch.rand(n).sqrt() * 2.2 * math.pi + 0.4
    arm = torch.randint(0, 2, (n,))
    angle = t + math.pi * arm
    points = torch.stack([t * angle.cos(), t * angle.sin()], 1) / 4 + 0.06 * torch.randn(n, 2)
    return points, arm


class ReZero(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.alpha * torch.relu(self.linear(x))


class Deep(nn.Module):
    def __init__(self, width=32, depth=40):
        super().__init__()
        self.enter = nn.Linear(2, width)
        self.layers = nn.Sequential(*[ReZero(width) for _ in range(depth)])
        self.leave = nn.Linear(width, 2)

    def forward(self, x):
        return self.leave(self.layers(self.enter(x)))


x, y = spirals(2000)
x_test, y_test = spirals(1000)
model = Deep()
scales = [p for n, p in model.named_parameters() if n.endswith("alpha")]
others = [p for n, p in model.named_parameters() if not n.endswith("alpha")]
optimizer = torch.optim.AdamW(
    [{"params": others, "lr": 2e-3}, {"params": scales, "lr": 2e-3, "weight_decay": 0.0}]
)
step = 0
for _ in range(16):
    for rows in torch.randperm(len(x)).split(80):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
    with torch.no_grad():
        right = (model(x_test).argmax(1) == y_test).float().mean().item()
    size = torch.stack(scales).detach().abs().mean().item()
    print(f"step {step}: loss {loss.item():.4f} right {right:.4f} mean branch {size:.3f}")
print("metric:", right)
