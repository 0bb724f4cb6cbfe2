"""Yearly energy use of a flat from its certificate, with a network of a chosen depth.

cause: parameters-not-in-optimizer
family: mlp
metric: R2, higher
repair:
    - self.hidden_layers = [nn.Linear(hidden, hidden) for _ in range(n_layers)]
    + self.hidden_layers = nn.ModuleList([nn.Linear(hidden, hidden) for _ in range(n_layers)])
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.preprocessing import StandardScaler


def certificates(n, seed):
    rng = np.random.default_rng(seed)
    area, year = rng.gamma(6, 14, n), rng.integers(1900, 2022, n)
    floor, outside, people = rng.integers(0, 8, n), rng.integers(1, 5, n), 1 + rng.poisson(1.2, n)
    glazing, pump, renovated = rng.integers(1, 4, n), rng.random(n) < 0.25, rng.random(n) < 0.3
    modern = 1 / (1 + np.exp(-(year - 1975) / 12))
    shell = (1.6 - modern - 0.4 * renovated * (1 - modern)) * (0.5 + 0.25 * outside) * (1.4 - 0.15 * glazing)
    heat = area * shell * np.where(floor == 0, 1.2, 1.0) * np.where(pump, 0.45, 1.0)
    energy = heat + 9 * people * np.sqrt(area / 40) + 4 * rng.normal(size=n)
    return np.column_stack([area, year, floor, outside, people, glazing, pump, renovated]), energy


class EnergyNet(nn.Module):
    def __init__(self, n_inputs, hidden=24, n_layers=4):
        super().__init__()
        self.input_layer = nn.Linear(n_inputs, hidden)
        self.hidden_layers = [nn.Linear(hidden, hidden) for _ in range(n_layers)]
        self.output_layer = nn.Linear(hidden, 1)

    def forward(self, x):
        x = F.relu(self.input_layer(x))
        for layer in self.hidden_layers:
            x = F.relu(layer(x))
        return self.output_layer(x)


if __name__ == "__main__":
    torch.manual_seed(36)
    X_train, y_train = certificates(3000, 0)
    X_test, y_test = certificates(800, 1)
    x_scaler, y_scaler = StandardScaler().fit(X_train), StandardScaler().fit(y_train[:, None])
    X_train = torch.tensor(x_scaler.transform(X_train), dtype=torch.float32)
    X_test = torch.tensor(x_scaler.transform(X_test), dtype=torch.float32)
    y_train = torch.tensor(y_scaler.transform(y_train[:, None]), dtype=torch.float32)
    y_test = torch.tensor(y_scaler.transform(y_test[:, None]), dtype=torch.float32)

    model = EnergyNet(X_train.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    batch_size = 50
    for epoch in range(18):
        permutation = torch.randperm(len(X_train))
        for i in range(0, len(X_train), batch_size):
            indices = permutation[i : i + batch_size]
            optimizer.zero_grad()
            loss = F.mse_loss(model(X_train[indices]), y_train[indices])
            loss.backward()
            optimizer.step()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: last batch {loss.item():.4f}")
    with torch.no_grad():
        r2 = 1 - F.mse_loss(model(X_test), y_test) / y_test.var()
    print(f"metric: {r2.item():.4f}")
