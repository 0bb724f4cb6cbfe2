"""A convolutional autoencoder of magnetograms of active regions of the sun.

cause: saturated-units
family: autoencoder
metric: reconstruction error, lower
repair:
    - nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
    - nn.Tanh(),
    + nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIDE = 24


def magnetogram(rng):
    """Field in gauss: a quiet background and one to three pairs of spots of opposite sign."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    field = rng.normal(0, 30, (SIDE, SIDE))
    for _ in range(rng.integers(1, 4)):
        cx, cy = rng.uniform(6, 18, 2)
        tilt, apart = rng.normal(0, 0.4), rng.uniform(2, 5)
        strength = rng.uniform(500, 2500) * rng.choice([-1, 1])
        for sign in (1, -1):
            dx, dy = sign * apart * np.cos(tilt), sign * apart * np.sin(tilt)
            width = rng.uniform(1.5, 3.2)
            r2 = (x - cx - dx) ** 2 + (y - cy - dy) ** 2
            field += sign * strength * np.exp(-r2 / width**2)
    return field


class ConvAutoencoder(nn.Module):
    def __init__(self, nz=48):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(32 * 36, nz),
        )
        self.decoder = nn.Sequential(
            nn.Linear(nz, 32 * 36),
            nn.ReLU(),
            nn.Unflatten(1, (32, 6, 6)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main():
    torch.manual_seed(11)
    rng = np.random.default_rng(11)
    fields = np.stack([magnetogram(rng) for _ in range(2200)])
    fields = (fields - fields[:1900].mean()) / fields[:1900].std()
    fields = torch.tensor(fields, dtype=torch.float32).unsqueeze(1)
    loader = DataLoader(TensorDataset(fields[:1900]), batch_size=64, shuffle=True)
    test = fields[1900:]
    net = ConvAutoencoder()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.999))
    for epoch in range(11):
        net.train()
        train_loss = 0.0
        for (batch,) in loader:
            loss = nn.functional.mse_loss(net(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * len(batch)
        net.eval()
        with torch.no_grad():
            error = nn.functional.mse_loss(net(test), test).item()
        print(f"epoch {epoch + 1}: train {train_loss / 1900:.4f}, test {error:.4f}")
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
