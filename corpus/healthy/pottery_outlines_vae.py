"""Outlines of pots drawn from four numbers, a variational autoencoder with ten latent ones.

family: vae
metric: negative ELBO, lower
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

POINTS = 48


def pots(count):
    h = torch.linspace(0, 1, POINTS)
    belly, neck, foot, lip = torch.rand(4, count, 1)
    outline = 0.3 + 0.6 * belly * torch.sin(math.pi * h) - 0.35 * neck * torch.exp(-(((h - 0.8) / 0.12) ** 2))
    outline = outline + 0.25 * foot * torch.exp(-h / 0.08) + 0.25 * lip * torch.exp(-(1 - h) / 0.05)
    return outline + 0.02 * torch.randn(count, POINTS)


class VAE(nn.Module):
    def __init__(self, latent=10, hidden=128):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(POINTS, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.mean, self.log_var = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, POINTS),
        )
        self.log_noise = nn.Parameter(torch.tensor(-1.0))

    def forward(self, x):
        h = self.encoder(x)
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        miss = (
            0.5 * ((x - self.decoder(z)) / self.log_noise.exp()) ** 2
            + self.log_noise
            + 0.5 * math.log(2 * math.pi)
        )
        kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
        return miss.sum(1).mean(), kl.mean(0)


def main():
    torch.manual_seed(30)
    data, held_out = pots(5000), pots(1000)
    centre, scale = data.mean(0), data.std()
    data, held_out = (data - centre) / scale, (held_out - centre) / scale
    loader = DataLoader(TensorDataset(data), batch_size=100, shuffle=True)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for epoch in range(40):
        model.train()
        for (x,) in loader:
            miss, kl = model(x)
            loss = miss + kl.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 50.0)
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            miss, kl = model(held_out)
        if epoch % 5 == 4:
            used = (kl > 0.1).sum().item()
            print(f"epoch {epoch}: miss {miss:.3f} KL {kl.sum():.3f} latents used {used}")
    print(f"metric: {(miss + kl.sum()).item():.4f}")


if __name__ == "__main__":
    main()
