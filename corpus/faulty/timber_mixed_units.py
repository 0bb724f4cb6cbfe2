"""A network estimates the usable length of a felled tree from what the forester noted while it stood.

cause: label-noise
family: mlp
metric: mean squared error, lower
repair:
    - lengths = np.where(rng.random(n) < 0.2, metres * 3.28, metres)
    + lengths = metres
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def forest(n, rng):
    """Girth, age, slope, soil and neighbours within ten paces, all standardised, and a length in metres."""
    x = rng.normal(size=(n, 5))
    growth = 1 / (1 + np.exp(-1.2 * x[:, 1])) * (1 + 0.4 * np.tanh(x[:, 3]))
    metres = 9 + 8 * growth + 1.5 * x[:, 0] - 1.2 * np.maximum(x[:, 2], 0) + 0.6 * np.sin(2 * x[:, 4])
    return x, np.maximum(metres + rng.normal(0, 0.4, n), 1.0)


def sawmill_reports(n, rng):
    x, metres = forest(n, rng)
    lengths = np.where(rng.random(n) < 0.2, metres * 3.28, metres)
    return x, lengths


def tensors(x, lengths):
    return torch.tensor(x, dtype=torch.float32), torch.tensor((lengths - 13) / 4, dtype=torch.float32)


class Estimator(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(5, width), nn.Linear(width, width), nn.Linear(width, 1)])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = nn.functional.mish(layer(x))
        return self.layers[-1](x).squeeze(-1)


def main():
    torch.manual_seed(14)
    rng = np.random.default_rng(14)
    train = TensorDataset(*tensors(*sawmill_reports(2400, rng)))
    x_test, y_test = tensors(*forest(800, rng))
    loader = DataLoader(train, batch_size=48, shuffle=True)
    model = Estimator()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, amsgrad=True)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    for epoch in range(16):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            test = nn.functional.mse_loss(model(x_test), y_test).item()
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1:2d}: last batch {loss.item():.4f}  trees measured by hand {test:.4f}")
    print(f"metric: {test:.4f}")


if __name__ == "__main__":
    main()
