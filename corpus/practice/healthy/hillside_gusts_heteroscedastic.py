"""Gusts at a ski lift's pylons from the valley forecast: a mean and a spread, by Gaussian likelihood.

family: mlp
metric: negative log likelihood, lower
"""

import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def observations(n, seed):
    rng = np.random.default_rng(seed)
    speed = rng.weibull(1.9, n) * 7
    direction = rng.uniform(0, 2 * np.pi, n)
    pressure_gradient = rng.normal(0, 1, n)
    lapse = rng.normal(6.5, 1.5, n)
    pylon = rng.integers(0, 6, n)
    exposure = np.array([0.7, 0.9, 1.0, 1.25, 1.5, 1.3])[pylon]
    foehn = np.exp(2 * (np.cos(direction - 3.4) - 1)) * np.clip(pressure_gradient, 0, None)
    mean = 2 + 1.15 * exposure * speed + 5 * foehn * exposure
    spread = 0.6 + 0.12 * speed * exposure + 1.6 * foehn + 0.3 * np.clip(lapse - 7, 0, None)
    gust = mean + spread * rng.normal(size=n)
    x = np.column_stack(
        [speed / 7 - 0.9, np.sin(direction), np.cos(direction), pressure_gradient, (lapse - 6.5) / 1.5]
    )
    x = np.concatenate([x, np.eye(6)[pylon]], axis=1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor((gust - 10) / 6, dtype=torch.float32)


class MeanAndSpread(nn.Module):
    def __init__(self, inputs, width=64):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.mean = nn.Linear(width, 1)
        self.log_var = nn.Linear(width, 1)
        nn.init.zeros_(self.log_var.weight)
        nn.init.zeros_(self.log_var.bias)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h).squeeze(-1), self.log_var(h).squeeze(-1).clamp(-7, 4)


def nll(mean, log_var, y):
    return 0.5 * (log_var + (y - mean) ** 2 * torch.exp(-log_var) + math.log(2 * math.pi)).mean()


if __name__ == "__main__":
    torch.manual_seed(2)
    x, y = observations(4000, 2)
    x_test, y_test = observations(1000, 3)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = MeanAndSpread(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.88)
    for epoch in range(18):
        model.train()
        for xb, yb in loader:
            loss = nll(*model(xb), yb)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            mean, log_var = model(x_test)
            held_out = nll(mean, log_var, y_test).item()
            inside = ((y_test - mean).abs() < 1.645 * (0.5 * log_var).exp()).float().mean().item()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: nll {held_out:.4f}, within the 90 % band {inside:.3f}")
    print(f"metric: {held_out:.4f}")
