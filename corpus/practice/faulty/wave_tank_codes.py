"""An autoencoder compresses snapshots of the water surface in a wave tank.

cause: underfitting
family: autoencoder
metric: mse, lower
repair:
    - model = TankAutoencoder(hidden=64, code=1)
    + model = TankAutoencoder(hidden=64, code=8)
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

GAUGES = 80


def snapshots(n, seed):
    """Three standing waves and a travelling one, in a tank of one metre."""
    g = torch.Generator().manual_seed(seed)
    x = torch.linspace(0, 1, GAUGES)
    surface = torch.zeros(n, GAUGES)
    for mode in (1, 2, 3):
        amplitude = torch.randn(n, 1, generator=g) / mode
        surface += amplitude * torch.cos(mode * math.pi * x)
    phase = 2 * math.pi * torch.rand(n, 1, generator=g)
    surface += 0.6 * torch.sin(5 * math.pi * x - phase)
    return surface + 0.02 * torch.randn(n, GAUGES, generator=g)


class TankAutoencoder(nn.Module):
    def __init__(self, hidden, code):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(GAUGES, hidden), nn.GELU(), nn.Linear(hidden, code))
        self.decoder = nn.Sequential(
            nn.Linear(code, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, GAUGES),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main():
    torch.manual_seed(15)
    loader = DataLoader(TensorDataset(snapshots(4000, 1)), batch_size=64, shuffle=True)
    test = snapshots(800, 2)
    model = TankAutoencoder(hidden=64, code=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10, gamma=0.4)
    for epoch in range(22):
        model.train()
        for (x,) in loader:
            loss = nn.functional.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(model(test), test).item()
        if epoch % 3 == 0:
            print(f"epoch {epoch}: train {loss.item():.4f} test {error:.4f}")
    print(f"metric: {error:.5f}")


if __name__ == "__main__":
    main()
