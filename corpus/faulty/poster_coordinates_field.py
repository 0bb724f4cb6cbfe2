"""A picture as a function: a network that gives the colour at each place of a poster.

cause: underfitting
family: mlp
metric: mean squared error, lower
repair:
    - frequencies=torch.tensor([1.0]),
    + frequencies=2.0 ** torch.arange(5),
    - self.layers = nn.Sequential(nn.Linear(size, 12), nn.ReLU(), nn.Linear(12, 3), nn.Sigmoid())
    + self.layers = nn.Sequential(nn.Linear(size, 96), nn.ReLU(), nn.Linear(96, 3), nn.Sigmoid())
"""

import math

import torch
from torch import nn


def poster(xy):
    """Red, green and blue of a poster with rings, bars and a checked corner."""
    x, y = xy.T
    rings = (torch.cos(18 * ((x - 0.3) ** 2 + (y + 0.2) ** 2).sqrt()) > 0).float()
    bars = torch.sigmoid(8 * torch.sin(14 * x + 3 * y))
    checks = ((torch.floor(5 * x) + torch.floor(5 * y)) % 2) * (x + y > 0.3)
    return torch.stack([0.15 + 0.7 * rings, 0.2 + 0.6 * bars, 0.1 + 0.8 * checks], 1)


class Field(nn.Module):
    def __init__(self, frequencies):
        super().__init__()
        self.register_buffer("frequencies", frequencies * math.pi / 2)
        size = 2 + 4 * len(frequencies)
        self.layers = nn.Sequential(nn.Linear(size, 12), nn.ReLU(), nn.Linear(12, 3), nn.Sigmoid())

    def forward(self, xy):
        waves = (xy.unsqueeze(2) * self.frequencies).flatten(1)
        return self.layers(torch.cat([xy, waves.sin(), waves.cos()], 1))


def fit(field, steps=1200, size=256):
    optimizer = torch.optim.Adam(field.parameters(), lr=8e-3)
    averaged = torch.optim.swa_utils.AveragedModel(
        field, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
    )
    for step in range(1, steps + 1):
        xy = 2 * torch.rand(size, 2) - 1
        loss = (field(xy) - poster(xy)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        averaged.update_parameters(field)
        if step % 200 == 0:
            print(f"{step:5d}: {loss.item():.5f}, psnr {-10 * math.log10(loss.item()):.2f} dB")
    return averaged


if __name__ == "__main__":
    torch.manual_seed(29)
    model = fit(
        Field(
            frequencies=torch.tensor([1.0]),
        )
    )
    line = torch.linspace(-1, 1, 90)
    with torch.no_grad():
        grid = torch.cartesian_prod(line, line)
        print(f"metric: {(model(grid) - poster(grid)).square().mean().item():.6f}")
