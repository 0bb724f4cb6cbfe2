"""Heat loss of buildings from fourteen design features, with a penalty on all weights.

cause: decay-too-strong
family: mlp
metric: R2, higher
repair:
    - def __init__(self, model, lr=2e-3, l2=0.02):
    + def __init__(self, model, lr=2e-3, l2=1e-5):
"""

import numpy as np
import torch
from torch import nn


def buildings(count, rng):
    x = rng.uniform(-1, 1, (count, 14))
    compact, glass, north, height, roof, walls = x.T[:6]
    y = np.exp(0.8 * glass) * (1 + 0.5 * north) + 1.2 * np.sin(2.5 * compact * height)
    y += 0.8 * roof * walls - 0.5 * np.abs(walls) + 0.15 * rng.normal(size=count)
    return x, y


class HeatLoss:
    """A scikit-learn-like regressor."""

    def __init__(self, model, lr=2e-3, l2=0.02):
        self.model = model
        self.l2 = l2
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def penalty(self):
        return self.l2 * sum((p**2).sum() for p in self.model.parameters())

    def fit(self, x, y, epochs, batch=64):
        for epoch in range(epochs):
            errors = []
            for rows in torch.randperm(len(x)).split(batch):
                error = (self.model(x[rows]).squeeze(1) - y[rows]).pow(2).mean()
                loss = error + self.penalty()
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                errors.append(error.item())
            if (epoch + 1) % 4 == 0:
                print(f"epoch {epoch + 1}: squared error {np.mean(errors):.4f}")
        return self

    @torch.no_grad()
    def score(self, x, y):
        residual = y - self.model(x).squeeze(1)
        return 1 - (residual.pow(2).mean() / y.var()).item()


def main():
    torch.manual_seed(19)
    rng = np.random.default_rng(19)
    x, y = buildings(4000, rng)
    y = (y - y.mean()) / y.std()
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    model = nn.Sequential(
        nn.Linear(14, 128), nn.LeakyReLU(), nn.Linear(128, 64), nn.LeakyReLU(), nn.Linear(64, 1)
    )
    regressor = HeatLoss(model).fit(x[:3200], y[:3200], epochs=24)
    print(f"train R2 {regressor.score(x[:3200], y[:3200]):.4f}")
    print(f"metric: {regressor.score(x[3200:], y[3200:]):.4f}")


if __name__ == "__main__":
    main()
