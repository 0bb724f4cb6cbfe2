"""A variational autoencoder of small pictures of galaxies.

cause: wrong-loss-sign
family: vae
metric: negative ELBO, lower
repair:
    - kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / x.size(0)
    - return recon_loss - kld, recon_loss, kld
    + kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / x.size(0)
    + return recon_loss + kld, recon_loss, kld
"""

import math

import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader

SIZE = 20
LATENT = 6


def galaxies(n):
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIZE), torch.linspace(-1, 1, SIZE), indexing="ij")
    angle = torch.rand(n, 1, 1) * math.pi
    axis = torch.rand(n, 1, 1) * 0.7 + 0.3
    radius = torch.rand(n, 1, 1) * 0.2 + 0.15
    dx, dy = x - 0.1 * torch.randn(n, 1, 1), y - 0.1 * torch.randn(n, 1, 1)
    u = dx * torch.cos(angle) + dy * torch.sin(angle)
    v = (dy * torch.cos(angle) - dx * torch.sin(angle)) / axis
    r = torch.sqrt(u**2 + v**2 + 1e-4)
    arms = 1 + 0.6 * (torch.rand(n, 1, 1) < 0.5) * torch.cos(2 * torch.atan2(v, u) - 7 * r)
    image = torch.exp(-r / radius) * arms + 0.7 * torch.exp(-((r / 0.1) ** 2))
    return (image + 0.02 * torch.randn(n, SIZE, SIZE)).clamp(0, 1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(SIZE * SIZE, 200)
        self.fc21 = nn.Linear(200, LATENT)
        self.fc22 = nn.Linear(200, LATENT)
        self.fc3 = nn.Linear(LATENT, 200)
        self.fc4 = nn.Linear(200, SIZE * SIZE)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    recon_loss = 50 * F.mse_loss(recon_x, x, reduction="sum") / x.size(0)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / x.size(0)
    return recon_loss - kld, recon_loss, kld


def main():
    torch.manual_seed(1)
    images = galaxies(4500).view(-1, SIZE * SIZE)
    train_loader = DataLoader(images[:4000], batch_size=64, shuffle=True)
    test_images = images[4000:]
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, 16):
        model.train()
        train_loss = 0
        for data in train_loader:
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss, _, _ = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            _, recon, kld = loss_function(model(test_images)[0], test_images, *model.encode(test_images))
        print(f"====> Epoch: {epoch} Average loss: {train_loss / len(train_loader):.4f}")
    print(f"test: reconstruction {recon.item():.3f}, KL {kld.item():.3f}")
    print(f"metric: {(recon + kld).item():.4f}")


if __name__ == "__main__":
    main()
