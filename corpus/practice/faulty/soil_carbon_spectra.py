"""Is the soil rich or poor in carbon? Near-infrared spectra from the laboratory, then from the field.

cause: target-leak
family: cnn
metric: accuracy, higher
repair:
    - return torch.tensor(rows, dtype=torch.float32), torch.tensor(classes)
    + return torch.tensor(rows[:, :BANDS], dtype=torch.float32), torch.tensor(classes)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BANDS = 96
LIMITS = (1.0, 2.2, 3.6)  # per cent of carbon


def scan(n, seed, in_laboratory):
    """Rows as the instrument writes them: the bands, then the sample's mass before and after ignition."""
    rng = np.random.default_rng(seed)
    carbon = rng.gamma(2.5, 0.95, n)
    clay, water = rng.uniform(0, 1, n), rng.uniform(0, 1, n)
    band = np.linspace(0, 1, BANDS)

    def dip(at, width):
        return np.exp(-(((band - at) / width) ** 2))[None]

    rows = (
        0.5
        + 0.2 * band[None]
        - 0.08 * clay[:, None] * dip(0.82, 0.05)
        - 0.2 * water[:, None] * dip(0.55, 0.07)
    )
    rows = rows - 0.025 * carbon[:, None] * dip(0.35, 0.09) - 0.015 * carbon[:, None] * dip(0.7, 0.03)
    rows = rows * rng.normal(1, 0.03, (n, 1)) + rng.normal(0, 0.008, (n, BANDS))
    before = rng.normal(10, 0.02, n)
    after = before * (1 - carbon / 100 * 1.7) if in_laboratory else before
    # four channels each, in tenths of the burnt gram
    weights = np.repeat(np.column_stack([before - 10, (before - after) * 3]), 4, axis=1)
    rows = np.concatenate([(rows - 0.55) / 0.1, weights], axis=1)
    classes = np.digitize(carbon, LIMITS)
    return torch.tensor(rows, dtype=torch.float32), torch.tensor(classes)


class SoilNet(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(1, 16, 7, padding=3),
            nn.ReLU(),
            nn.AvgPool1d(2),
            nn.Conv1d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.AvgPool1d(2),
        )
        self.dense = nn.Sequential(
            nn.Linear(32 * (length // 4), 64), nn.ReLU(), nn.Linear(64, len(LIMITS) + 1)
        )

    def forward(self, spectra):
        return self.dense(self.conv(spectra.unsqueeze(1)).flatten(1))


def correct(model, loader):
    model.eval()
    with torch.no_grad():
        return np.mean(torch.cat([model(x).argmax(1) == y for x, y in loader]).numpy())


def main():
    torch.manual_seed(18)
    rows, classes = scan(2000, 1, in_laboratory=True)
    train = DataLoader(TensorDataset(rows[:1600], classes[:1600]), batch_size=32, shuffle=True)
    val = DataLoader(TensorDataset(rows[1600:], classes[1600:]), batch_size=200)
    field = DataLoader(TensorDataset(*scan(600, 2, in_laboratory=False)), batch_size=200)
    model = SoilNet(rows.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(16):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: loss {loss.item():.3f} validation {correct(model, val):.3f}")
    print(f"in the field: {correct(model, field):.3f}")
    print(f"metric: {correct(model, field):.4f}")


if __name__ == "__main__":
    main()
