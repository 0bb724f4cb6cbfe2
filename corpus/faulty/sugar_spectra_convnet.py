"""Sugar content of fruit from infrared spectra, a convolutional regression.

cause: overfitting
family: cnn
metric: mean squared error, lower
repair:
    - head = nn.Sequential(nn.Flatten(), nn.Linear(32 * 30, 256), nn.ReLU(), nn.Linear(256, 1))
    + head = nn.Sequential(nn.AdaptiveAvgPool1d(10), nn.Flatten(), nn.Dropout(0.5), nn.Linear(32 * 10, 1))
    - EPOCHS, DECAY = 120, 0.0
    + EPOCHS, DECAY = 60, 1.0
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, DECAY = 120, 0.0


def spectra(n, rng, assay, bands=120):
    wavelength = np.linspace(0, 1, bands)
    substances = rng.gamma(2.0, 0.5, (n, 6))
    sugar = substances[:, 0]
    centres = np.array([0.32, 0.2, 0.38, 0.55, 0.7, 0.86])
    widths = np.array([0.05, 0.08, 0.06, 0.1, 0.07, 0.09])
    peaks = np.exp(-(((wavelength - centres[:, None]) / widths[:, None]) ** 2))
    baseline = rng.normal(0, 0.4, (n, 1)) + rng.normal(0, 0.6, (n, 1)) * wavelength
    curves = substances @ peaks + baseline + rng.normal(0, 0.25, (n, bands))
    measured = sugar + rng.normal(0, assay, n)
    return torch.tensor(curves, dtype=torch.float32), torch.tensor(measured, dtype=torch.float32)


def build():
    trunk = nn.Sequential(
        nn.Conv1d(1, 32, 7, stride=2, padding=3),
        nn.ReLU(),
        nn.Conv1d(32, 32, 5, stride=2, padding=2),
        nn.ReLU(),
    )
    head = nn.Sequential(nn.Flatten(), nn.Linear(32 * 30, 256), nn.ReLU(), nn.Linear(256, 1))
    return nn.Sequential(trunk, head)


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(x).squeeze(1), y).item()


def main():
    rng = np.random.default_rng(48)
    torch.manual_seed(48)
    train_x, train_y = spectra(70, rng, assay=0.6)
    test_x, test_y = spectra(600, rng, assay=0.1)
    mean, std = train_x.mean(0), train_x.std(0)
    train_x, test_x = ((x - mean).div(std).unsqueeze(1) for x in (train_x, test_x))
    loader = DataLoader(TensorDataset(train_x, train_y), batch_size=10, shuffle=True)
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=DECAY)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x).squeeze(1), y)
            loss.backward()
            optimizer.step()
        if epoch % 10 == 0:
            a, b = evaluate(model, train_x, train_y), evaluate(model, test_x, test_y)
            print(f"epoch {epoch}: train {a:.4f} test {b:.4f}")
    print(f"metric: {evaluate(model, test_x, test_y):.5f}")


if __name__ == "__main__":
    main()
