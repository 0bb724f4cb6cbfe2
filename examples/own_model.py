"""Train a PyTorch model of your own, and look at what came of it."""

import tempfile

import torch
from torch import nn

import descend

x = torch.linspace(-3, 3, 600)[:, None]
y = torch.sin(2 * x) + 0.1 * torch.randn(600, 1, generator=torch.Generator().manual_seed(0))
held_out = torch.arange(600) % 5 == 0

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(1, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
problem = descend.Problem(
    model, "mse", train=(x[~held_out], y[~held_out]), validation=(x[held_out], y[held_out]), metric="r2"
)
until = descend.Until(steps=1500)
run = descend.fit(problem, method="adamw", lr=3e-3, until=until, out=tempfile.mkdtemp() + "/sine")

print(run.outcome.value, f"r2 {run.facts['metrics']['r2']:.3f}", run.report())
assert run.facts["metrics"]["r2"] > 0.95
assert run.model(torch.zeros(1, 1)).abs().item() < 0.2
