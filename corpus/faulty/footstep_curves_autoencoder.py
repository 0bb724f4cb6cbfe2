"""An autoencoder squeezes the force curves of footsteps into six numbers.

cause: dead-units
family: autoencoder
metric: mean squared error, lower
repair:
    - nn.Linear(32, code), nn.ReLU(),
    + nn.Linear(32, code),
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def steps(n, points=60):
    """Two bumps, heel and toe, each of its own height, place and width."""
    t = torch.linspace(0, 1, points)
    heel, toe = 0.9 + 0.25 * torch.randn(n, 1), 1.0 + 0.25 * torch.randn(n, 1)
    at_heel, at_toe = 0.27 + 0.05 * torch.randn(n, 1), 0.75 + 0.05 * torch.randn(n, 1)
    width = 0.12 * torch.exp(0.25 * torch.randn(n, 1))
    tilt = 0.3 * torch.randn(n, 1)
    curve = heel * torch.exp(-(((t - at_heel) / width) ** 2))
    curve = curve + toe * torch.exp(-(((t - at_toe) / width) ** 2))
    curve = curve + tilt * torch.sin(math.pi * t)
    return (curve - 0.5) / 0.45 + 0.02 * torch.randn(n, points)


class Autoencoder(nn.Module):
    def __init__(self, points=60, code=6):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(points, 64), nn.ReLU(),
            nn.Linear(64, 32), nn.ReLU(),
            nn.Linear(32, code), nn.ReLU(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(code, 32), nn.ReLU(),
            nn.Linear(32, 64), nn.ReLU(),
            nn.Linear(64, points),
        )  # fmt: skip

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main(epochs=20):
    torch.manual_seed(12)
    train, test = steps(3200), steps(800)
    loader = DataLoader(TensorDataset(train), batch_size=64, shuffle=True)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
    criterion = nn.MSELoss()
    for epoch in range(epochs):
        model.train()
        for (x,) in loader:
            reconstruction = model(x)
            loss = criterion(reconstruction, x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            held_out = criterion(model(test), test).item()
        print(f"epoch [{epoch + 1}/{epochs}], loss: {loss.item():.4f}, held out: {held_out:.4f}")
    print(f"metric: {held_out:.5f}")


if __name__ == "__main__":
    main()
