"""Crust moisture of loaves from an industrial oven's log, with a predicted spread for each loaf.

family: mlp
metric: mean Gaussian log-likelihood on held-out loaves, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def oven_log(n, seed):
    rng = np.random.default_rng(seed)
    temp = rng.normal(235, 12, n)
    minutes = rng.uniform(22, 38, n)
    steam = rng.gamma(3, 0.4, n)
    hydration = rng.normal(0.68, 0.04, n)
    fan = rng.integers(0, 3, n)
    loaf = rng.uniform(0.4, 1.2, n)
    mean = (
        0.21 + 0.6 * (hydration - 0.68) - 0.0011 * (temp - 235) - 0.006 * (minutes - 30) * np.sqrt(1 / loaf)
    )
    mean += 0.02 * np.tanh(steam - 1) - 0.012 * fan
    spread = 0.004 + 0.012 * (fan == 2) + 0.008 / (1 + np.exp(-(temp - 245) / 4))
    moisture = mean + spread * rng.standard_normal(n)
    x = np.column_stack([temp, minutes, steam, hydration, fan == 1, fan == 2, loaf])
    true_ll = -0.5 * ((moisture - mean) / spread) ** 2 - np.log(spread) - 0.5 * np.log(2 * np.pi)
    return x.astype(np.float32), moisture.astype(np.float32), true_ll.mean()


class MoistureNet(nn.Module):
    def __init__(self, n_in, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.mu = nn.Linear(hidden, 1)
        self.raw_sigma = nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.body(x)
        return self.mu(h).squeeze(-1), F.softplus(self.raw_sigma(h)).squeeze(-1) + 1e-3


def main():
    torch.manual_seed(4)
    x, y, _ = oven_log(6000, 4)
    x_test, y_test, best = oven_log(2000, 5)
    m, s = x.mean(0), x.std(0)
    y_mean, y_std = y.mean(), y.std()
    x, x_test = torch.from_numpy((x - m) / s), torch.from_numpy((x_test - m) / s)
    y, y_test = torch.from_numpy((y - y_mean) / y_std), torch.from_numpy((y_test - y_mean) / y_std)

    model = MoistureNet(x.shape[1])
    nll = nn.GaussianNLLLoss(full=True)
    loader = DataLoader(TensorDataset(x, y), batch_size=100, shuffle=True)
    epochs = 22
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, epochs * len(loader))
    for epoch in range(epochs):
        total = 0.0
        for xb, yb in loader:
            mu, sigma = model(xb)
            loss = nll(mu, yb, sigma**2)
            opt.zero_grad()
            loss.backward()
            opt.step()
            sched.step()
            total += loss.item() * len(xb)
        with torch.no_grad():
            mu, sigma = model(x_test)
            held_out = nll(mu, y_test, sigma**2).item()
        print(f"epoch {epoch:2d}  nll {total / len(x):+.4f}  held out {held_out:+.4f}")
    print(f"generating process: {best:.4f}")
    print(f"metric: {-held_out - np.log(y_std):.4f}")


if __name__ == "__main__":
    main()
