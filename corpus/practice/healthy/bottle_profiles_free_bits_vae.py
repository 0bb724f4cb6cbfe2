"""A variational autoencoder of bottle profiles with free bits; some latent numbers stay unused.

family: vae
metric: held-out bound (nats per profile), higher
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

POINTS, LATENT, SIGMA = 32, 8, 0.05


def profiles(n, g):
    h = torch.linspace(0, 1, POINTS)
    shoulder = 0.5 + 0.25 * torch.rand(n, 1, generator=g)
    body = 0.6 + 0.4 * torch.rand(n, 1, generator=g)
    neck = 0.15 + 0.2 * torch.rand(n, 1, generator=g)
    waist = 0.25 * torch.rand(n, 1, generator=g)
    width = neck + (body - neck) * torch.sigmoid((shoulder - h) * 18)
    width = width - waist * torch.exp(-(((h - 0.3) / 0.1) ** 2))
    return width + SIGMA * torch.randn(n, POINTS, generator=g)


class BottleVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(POINTS, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.mean = nn.Linear(64, LATENT)
        self.log_var = nn.Linear(64, LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, POINTS)
        )

    def forward(self, x):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h).clamp(-8, 4)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
        return self.decoder(z), kl


def log_likelihood(x, guess):
    return -0.5 * (((x - guess) / SIGMA) ** 2 + math.log(2 * math.pi * SIGMA**2)).sum(1)


def main():
    g = torch.Generator().manual_seed(2)
    torch.manual_seed(2)
    x, x_test = profiles(2500, g), profiles(800, g)
    middle = x.mean(0)
    x, x_test = x - middle, x_test - middle
    loader = DataLoader(TensorDataset(x), batch_size=50, shuffle=True)
    vae = BottleVAE()
    optimizer = torch.optim.Adam(vae.parameters(), lr=6e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for epoch in range(20):
        total = 0.0
        for (batch,) in loader:
            guess, kl = vae(batch)
            loss = -log_likelihood(batch, guess).mean() + kl.mean(0).clamp(min=0.1).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        with torch.no_grad():
            guess, kl = vae(x_test)
            bound = (log_likelihood(x_test, guess) - kl.sum(1)).mean().item()
        used = int((kl.mean(0) > 0.1).sum())
        print(f"epoch {epoch + 1}: loss {total / len(loader):.3f}, bound {bound:.3f}, {used} numbers in use")
    print(f"metric: {bound:.4f}")


if __name__ == "__main__":
    main()
