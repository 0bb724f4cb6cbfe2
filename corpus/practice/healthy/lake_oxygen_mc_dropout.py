"""Dissolved oxygen in lakes with an error bar: dropout stays on at test time, a hundred passes are averaged.

family: mlp
metric: negative log-likelihood, lower
"""

import math

import numpy as np
import torch
from torch import nn


def survey(n, seed):
    """Depth, day, temperature, wind, chlorophyll, clarity; oxygen in mg/l."""
    rng = np.random.default_rng(seed)
    depth = rng.exponential(6, n)
    day = rng.uniform(0, 365, n)
    season = -np.cos(2 * np.pi * (day - 20) / 365)
    temperature = 11 + 9 * season * np.exp(-depth / 8) + rng.normal(0, 1, n)
    wind = rng.gamma(2, 2, n)
    chlorophyll = rng.lognormal(1.5 + 0.5 * season, 0.6, n)
    clarity = 8 / (1 + 0.1 * chlorophyll) + rng.normal(0, 0.5, n)
    saturation = 14.6 - 0.39 * temperature + 0.006 * temperature**2
    stratified = 1 / (1 + np.exp(-(season * 4 - 1 - 0.3 * wind)))
    oxygen = saturation * (1 - stratified * (1 - np.exp(-depth / 7)) * 0.9) + 0.05 * chlorophyll * np.exp(
        -depth / 3
    )
    oxygen = np.maximum(oxygen + rng.normal(0, 0.6, n), 0)
    angle = 2 * np.pi * day / 365
    X = np.stack([depth, np.sin(angle), np.cos(angle), temperature, wind, np.log(chlorophyll), clarity], 1)
    return X.astype(np.float32), oxygen.astype(np.float32)


class OxygenNet(nn.Module):
    def __init__(self, n_in, hidden=100, p=0.1):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, hidden),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(p),
        )
        self.mean, self.log_noise = nn.Linear(hidden, 1), nn.Parameter(torch.tensor(-1.0))

    def forward(self, x):
        return self.mean(self.layers(x)).squeeze(1)

    def nll(self, x, y):
        return nn.functional.gaussian_nll_loss(
            self(x), y, torch.exp(2 * self.log_noise).expand(len(y)), full=True
        )

    @torch.no_grad()
    def predict(self, x, passes=100):
        self.train()  # keeps the dropout masks coming
        draws = torch.stack([self(x) for _ in range(passes)])
        variance = draws.var(0) + torch.exp(2 * self.log_noise)
        return draws.mean(0), variance


def main():
    torch.manual_seed(50)
    X, y = survey(3000, 1)
    X_test, y_test = survey(800, 2)
    mu, sd = X.mean(0), X.std(0)
    y_mu, y_sd = y.mean(), y.std()
    X, X_test = torch.from_numpy((X - mu) / sd), torch.from_numpy((X_test - mu) / sd)
    y, y_test = torch.from_numpy((y - y_mu) / y_sd), torch.from_numpy((y_test - y_mu) / y_sd)

    model = OxygenNet(X.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-5)
    batch = 64
    for epoch in range(30):
        order = torch.randperm(len(X))
        total = 0.0
        for i in range(0, len(X), batch):
            rows = order[i : i + batch]
            optimizer.zero_grad()
            loss = model.nll(X[rows], y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        if epoch % 5 == 4:
            noise = model.log_noise.exp().item() * y_sd
            print(f"epoch {epoch + 1}: nll {total / len(X):+.4f}, noise {noise:.3f} mg/l")

    mean, variance = model.predict(X_test)
    rmse = ((mean - y_test) ** 2).mean().sqrt().item() * y_sd
    inside = ((mean - y_test).abs() < 1.96 * variance.sqrt()).float().mean().item()
    nll = (
        0.5 * ((mean - y_test) ** 2 / variance + variance.log() + math.log(2 * math.pi))
    ).mean() + math.log(y_sd)
    print(f"rmse {rmse:.3f} mg/l, {inside:.1%} within the 95% band")
    print(f"metric: {nll.item():.4f}")


if __name__ == "__main__":
    main()
