"""The tannin of cider apples from near-infrared spectra: few fruits, many wavelengths, coarse lab values.

cause: training-in-eval-mode
begins: 17
family: mlp
metric: R², higher
repair:
    - for spectra, tannin in batches(x_train, y_train, 25):
    + model.train()
    + for spectra, tannin in batches(x_train, y_train, 25):
"""

import numpy as np
import torch
import torch.nn as nn


def measure(n, rng, grid):
    heights = rng.normal(0, 1, (n, 14))
    bands = np.exp(-(((grid - np.linspace(0.08, 0.92, 14)[:, None]) / 0.05) ** 2))
    spectra = heights @ bands + rng.normal(0, 1.0, (n, 1)) + rng.normal(0, 0.2, (n, len(grid)))
    tannin = (
        0.6 * heights[:, 2] + 0.5 * heights[:, 7] - 0.4 * heights[:, 9] + 0.3 * heights[:, 2] * heights[:, 11]
    )
    tannin += rng.normal(0, 0.9, n)
    return torch.tensor(spectra, dtype=torch.float32), torch.tensor(tannin, dtype=torch.float32)


def batches(x, y, size):
    for idx in torch.randperm(len(x)).split(size):
        yield x[idx], y[idx]


class SpectrumNet(nn.Module):
    def __init__(self, n_in, width=192, p=0.5):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(n_in, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(p),
            nn.Linear(width, 1),
        )

    def forward(self, x):
        return self.layers(x).squeeze(1)


def validate(model, x, y):
    model.eval()
    with torch.no_grad():
        return 1 - ((model(x) - y) ** 2).mean().item() / y.var().item()


torch.manual_seed(6)
rng = np.random.default_rng(6)
grid = np.linspace(0, 1, 120)
x_train, y_train = measure(400, rng, grid)
x_test, y_test = measure(1500, rng, grid)
mean, std = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

model = SpectrumNet(120)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
model.train()
for epoch in range(60):
    total = 0.0
    for spectra, tannin in batches(x_train, y_train, 25):
        optimizer.zero_grad()
        loss = loss_fn(model(spectra), tannin)
        loss.backward()
        optimizer.step()
        total += loss.item() / 16
    r2 = validate(model, x_test, y_test)
    if (epoch + 1) % 6 == 0:
        print(f"epoch {epoch + 1:3d}: train loss {total:.4f}, validation R2 {r2:.4f}")
print(f"metric: {r2:.4f}")
