"""A denoising autoencoder on handwritten digits.

cause: decay-too-strong
family: autoencoder
metric: mean squared error, lower
repair:
    - optimizer = torch.optim.Adam(autoencoder.parameters(), lr=2e-3, weight_decay=0.005)
    + optimizer = torch.optim.Adam(autoencoder.parameters(), lr=2e-3, weight_decay=1e-6)
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


class Autoencoder(nn.Module):
    def __init__(self, code=24):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, code))
        self.decoder = nn.Sequential(nn.Linear(code, 96), nn.ReLU(), nn.Linear(96, 64), nn.Sigmoid())

    def forward(self, x):
        return self.decoder(self.encoder(x))


def corrupt(x, level=0.15):
    return (x + level * torch.randn_like(x)).clamp(0, 1)


if __name__ == "__main__":
    torch.manual_seed(40)
    pixels = torch.tensor(load_digits().images, dtype=torch.float32).flatten(1) / 16
    pixels = pixels[torch.randperm(len(pixels))]
    train, test = pixels[:1500], pixels[1500:]
    autoencoder = Autoencoder()
    optimizer = torch.optim.Adam(autoencoder.parameters(), lr=2e-3, weight_decay=0.005)
    for epoch in range(25):
        total = 0.0
        for clean in DataLoader(train, batch_size=50, shuffle=True):
            restored = autoencoder(corrupt(clean))
            loss = nn.functional.mse_loss(restored, clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: reconstruction error {total / 30:.5f}")
    with torch.no_grad():
        print(f"metric: {nn.functional.mse_loss(autoencoder(corrupt(test)), test).item():.6f}")
