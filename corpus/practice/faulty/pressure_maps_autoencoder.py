"""An autoencoder of maps of the pressure at sea level, for a search of similar weather.

cause: dead-units
family: autoencoder
metric: reconstruction error, lower
repair:
    - nn.Linear(128, code_size),
    - nn.ReLU(),
    + nn.Linear(128, code_size),
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HEIGHT, WIDTH = 16, 24


def pressure_maps(n, generator):
    """Maps in hectopascals: a mean flow, a wave along the latitudes and a few patterns of variability."""
    lat = torch.linspace(0, 1, HEIGHT)[:, None]
    lon = torch.linspace(0, 1, WIDTH)[None]
    patterns = torch.stack(
        [
            torch.exp(-((lat - 0.8) ** 2 + (lon - 0.3) ** 2) / 0.05)
            - torch.exp(-((lat - 0.3) ** 2 + (lon - 0.35) ** 2) / 0.08),
            torch.sin(2 * torch.pi * lon) * torch.exp(-((lat - 0.6) ** 2) / 0.05),
            torch.cos(2 * torch.pi * lon) * torch.exp(-((lat - 0.6) ** 2) / 0.05),
            torch.sin(4 * torch.pi * lon) * lat,
            torch.cos(4 * torch.pi * lon) * lat,
            torch.exp(-((lat - 0.5) ** 2 + (lon - 0.8) ** 2) / 0.04),
            (lat - 0.5) + 0 * lon,
            torch.exp(-((lat - 0.9) ** 2) / 0.02) + 0 * lon,
        ]
    )
    amplitudes = torch.randn(n, len(patterns), generator=generator) * 7
    maps = 1013 + torch.einsum("nk,khw->nhw", amplitudes, patterns)
    return maps + 0.4 * torch.randn(n, HEIGHT, WIDTH, generator=generator)


class MapAutoencoder(nn.Module):
    def __init__(self, code_size=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(HEIGHT * WIDTH, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, code_size),
            nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code_size, 128),
            nn.ReLU(),
            nn.Linear(128, 256),
            nn.ReLU(),
            nn.Linear(256, HEIGHT * WIDTH),
            nn.Unflatten(1, (HEIGHT, WIDTH)),
        )

    def forward(self, maps):
        return self.decoder(self.encoder(maps))


if __name__ == "__main__":
    generator = torch.Generator().manual_seed(17)
    torch.manual_seed(17)
    maps = pressure_maps(4000, generator)
    mean, std = maps[:3500].mean(0), maps[:3500].std()
    maps = (maps - mean) / std
    train_loader = DataLoader(TensorDataset(maps[:3500]), batch_size=64, shuffle=True)
    test_maps = maps[3500:]

    model = MapAutoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.MSELoss()
    for epoch in range(20):
        model.train()
        for (batch,) in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(batch), batch)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            test_loss = criterion(model(test_maps), test_maps).item()
        print(f"Epoch: {epoch + 1} \tTraining Loss: {loss.item():.4f} \tTest Loss: {test_loss:.4f}")
    print(f"metric: {test_loss:.4f}")
