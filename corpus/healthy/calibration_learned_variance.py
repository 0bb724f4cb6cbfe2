"""A measuring device: what it will show and how uncertain that is, by the Gaussian likelihood.

family: mlp
metric: nll, lower
"""

import math

import torch
from torch import nn


class MeanAndVariance(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh())
        self.mean = nn.Linear(width, 1)
        self.log_variance = nn.Linear(width, 1)

    def forward(self, x):
        h = self.shared(x)
        return self.mean(h), self.log_variance(h).clamp(-12, 6).exp()


def readings(count, generator):
    x = torch.rand(count, 1, generator=generator) * 4 - 2
    mean = torch.sin(2 * x) + 0.3 * x
    std = 0.02 + 0.1 * torch.sigmoid(3 * x)
    return x, mean + std * torch.randn(count, 1, generator=generator), std


def train(steps=1500):
    torch.manual_seed(23)
    generator = torch.Generator().manual_seed(23)
    x, y, _ = readings(4000, generator)
    x_test, y_test, std = readings(3000, generator)
    model = MeanAndVariance()
    criterion = nn.GaussianNLLLoss(full=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.998)
    for step in range(steps):
        pick = torch.randint(0, len(x), (100,), generator=generator)
        mean, variance = model(x[pick])
        loss = criterion(mean, y[pick], variance)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
        if step % 250 == 0:
            print(f"step {step} negative log-likelihood {loss.item():.3f}")
    with torch.no_grad():
        mean, variance = model(x_test)
        nll = criterion(mean, y_test, variance).item()
    best = (std.log() + 0.5 * math.log(2 * math.pi) + 0.5).mean().item()
    print(f"of the true distribution {best:.4f}")
    return nll


if __name__ == "__main__":
    print(f"metric: {train():.4f}")
