"""Scans of old maps freed of stains and grain by a small convolutional denoiser.

cause: learning-rate-too-low
family: autoencoder
metric: mse, lower
repair:
    - sgd = torch.optim.SGD(denoiser.parameters(), lr=2e-3, momentum=0.9)
    + sgd = torch.optim.SGD(denoiser.parameters(), lr=2e-1, momentum=0.9)
"""

import torch
import torch.nn.functional as F
from torch import nn

SIDE = 20


def sheets(n, generator):
    """Contour lines, a river and a road."""
    ax = torch.linspace(0, 1, SIDE)
    yy, xx = torch.meshgrid(ax, ax, indexing="ij")

    def u(low, high):
        return low + (high - low) * torch.rand(n, 1, 1, generator=generator)

    height = sum(u(0.3, 1) * torch.exp(-((xx - u(0, 1)) ** 2 + (yy - u(0, 1)) ** 2) / 0.08) for _ in range(3))
    contours = torch.exp(-((torch.sin(9 * height)) ** 2) / 0.12)
    river = torch.exp(-((yy - u(0.2, 0.8) - 0.15 * torch.sin(6 * xx + u(0, 6))) ** 2) / 0.003)
    road = torch.exp(-((xx - u(0.1, 0.9) - u(-0.5, 0.5) * yy) ** 2) / 0.002)
    ink = torch.maximum(torch.maximum(0.6 * contours, river), 0.8 * road)
    return ink.unsqueeze(1)


def age(ink, generator):
    grain = 0.3 * torch.randn(ink.shape, generator=generator)
    stain = F.interpolate(torch.rand(len(ink), 1, 4, 4, generator=generator), size=SIDE, mode="bilinear")
    return ink + grain + 0.6 * (stain - 0.5)


def build():
    return nn.Sequential(
        nn.Conv2d(1, 14, 5, padding=2),
        nn.LeakyReLU(0.1),
        nn.Conv2d(14, 14, 3, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(14, 14, 3, padding=1),
        nn.LeakyReLU(0.1),
        nn.Conv2d(14, 1, 3, padding=1),
    )


if __name__ == "__main__":
    torch.manual_seed(18)
    generator = torch.Generator().manual_seed(18)
    clean, clean_test = sheets(1200, generator), sheets(200, generator)
    worn_test = age(clean_test, generator)

    denoiser = build()
    sgd = torch.optim.SGD(denoiser.parameters(), lr=2e-3, momentum=0.9)
    for step in range(400):
        rows = torch.randint(len(clean), (24,), generator=generator)
        restored = denoiser(age(clean[rows], generator))
        loss = F.mse_loss(restored, clean[rows])
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        if step % 50 == 49:
            with torch.no_grad():
                test = F.mse_loss(denoiser(worn_test), clean_test).item()
            print(f"{step + 1:4d}  batch {loss.item():.5f}  test {test:.5f}")
    print(f"metric: {test:.5f}")
