"""A denoising autoencoder for scan lines of recycled paper.

cause: momentum-too-high
family: autoencoder
metric: mean squared error, lower
repair:
    - optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.99, nesterov=True)
    + optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

POINTS = 64


def scan_lines(count):
    t = torch.linspace(0, 1, POINTS)
    lines = torch.zeros(count, POINTS)
    for _ in range(3):
        amplitude = torch.randn(count, 1) * 0.6
        rate = torch.randint(1, 5, (count, 1)).float()
        lines += amplitude * torch.sin(2 * math.pi * rate * t + 6.3 * torch.rand(count, 1))
    step = (t > torch.rand(count, 1)).float() * torch.randn(count, 1)
    return lines + step


class Autoencoder(nn.Module):
    def __init__(self, code=20):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(POINTS, 128), nn.Tanh(), nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 64), nn.Tanh(), nn.Linear(64, 128), nn.Tanh(), nn.Linear(128, POINTS)
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main():
    torch.manual_seed(101)
    clean = scan_lines(3600)
    train, held_out = clean[:3000], clean[3000:]
    loader = DataLoader(TensorDataset(train), batch_size=50, shuffle=True)
    model = Autoencoder()
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.99, nesterov=True)
    noisy = held_out + 0.3 * torch.randn_like(held_out)
    for epoch in range(18):
        model.train()
        total = 0.0
        for (batch,) in loader:
            output = model(batch + 0.3 * torch.randn_like(batch))
            loss = criterion(output, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            error = criterion(model(noisy), held_out).item()
        print(f"epoch {epoch:2d} train {total / len(loader):.4f} held out {error:.4f}")
    print(f"metric: {error:.5f}")


if __name__ == "__main__":
    main()
