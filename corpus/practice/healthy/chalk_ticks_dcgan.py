"""A small convolutional GAN draws chalk tick marks, twelve by twelve pixels.

family: gan
metric: sliced Wasserstein distance to held-out marks, lower
"""

import torch
from torch import nn

SIZE, NOISE, BATCH = 12, 16, 48


def ticks(n):
    axis = torch.linspace(-1, 1, SIZE)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    cx, cy = (torch.rand(2, n, 1, 1) - 0.5) * 0.6
    slope = 1.0 + 0.8 * torch.rand(n, 1, 1)
    px, py = x - cx, y - cy
    left = (
        torch.exp(-(((py - slope * px) / 0.3) ** 2))
        * torch.sigmoid(-12 * px)
        * torch.sigmoid(12 * (px + 0.5))
    )
    right = (
        torch.exp(-(((py + slope * px) / 0.3) ** 2)) * torch.sigmoid(12 * px) * torch.sigmoid(12 * (0.8 - px))
    )
    ink = (left + right) * (0.7 + 0.3 * torch.rand(n, 1, 1))
    return (2 * ink.clamp(0, 1) - 1).unsqueeze(1)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(NOISE, 24 * 9, bias=False),
            nn.BatchNorm1d(24 * 9),
            nn.ReLU(),
            nn.Unflatten(1, (24, 3, 3)),
        )
        self.net = nn.Sequential(
            nn.ConvTranspose2d(24, 16, 4, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(self.project(z))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(32 * 9, 1),
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


def sliced_wasserstein(a, b, directions=200):
    d = torch.randn(a.flatten(1).shape[1], directions)
    d = d / d.norm(dim=0)
    return ((a.flatten(1) @ d).sort(0)[0] - (b.flatten(1) @ d).sort(0)[0]).abs().mean().item()


if __name__ == "__main__":
    torch.manual_seed(1234)
    real_data, held_out = ticks(3000), ticks(1000)
    netG, netD = Generator(), Discriminator()
    optG = torch.optim.Adam(netG.parameters(), lr=6e-4, betas=(0.5, 0.999))
    optD = torch.optim.Adam(netD.parameters(), lr=6e-4, betas=(0.5, 0.999))
    bce = nn.BCEWithLogitsLoss()
    real_label, fake_label = torch.ones(BATCH), torch.zeros(BATCH)

    for it in range(800):
        real = real_data[torch.randint(len(real_data), (BATCH,))]
        fake = netG(torch.randn(BATCH, NOISE))
        optD.zero_grad()
        lossD = bce(netD(real), real_label) + bce(netD(fake.detach()), fake_label)
        lossD.backward()
        optD.step()

        optG.zero_grad()
        lossG = bce(netD(fake), real_label)
        lossG.backward()
        optG.step()
        if it % 100 == 0:
            print(f"[{it}] Loss_D {lossD.item():.3f}  Loss_G {lossG.item():.3f}")

    netG.eval()
    with torch.no_grad():
        made = netG(torch.randn(1000, NOISE))
    print(f"between two real samples: {sliced_wasserstein(ticks(1000), held_out):.4f}")
    print(f"metric: {sliced_wasserstein(made, held_out):.4f}")
