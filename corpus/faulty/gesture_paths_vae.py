"""A variational autoencoder of the paths that a finger draws on a screen.

cause: wrong-loss-sign
family: vae
metric: negative evidence bound, lower
repair:
    - kld = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    + kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
"""

import math

import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

SIGMA = 0.2
POINTS = 32


def paths(n):
    """Swipes, circles and hooks, 32 points each with two coordinates."""
    t = torch.linspace(0, 1, POINTS)
    kind = torch.randint(3, (n, 1))
    start, size = 0.5 * torch.randn(n, 2), 0.7 + 0.2 * torch.rand(n, 1)
    angle = 6.28 * torch.rand(n, 1)
    turns = torch.where(kind == 0, 0.0, torch.where(kind == 1, 2 * math.pi, 0.8 * math.pi))
    direction = angle + turns * t
    x = start[:, :1] + torch.cumsum(size * torch.cos(direction), 1) / 8
    y = start[:, 1:] + torch.cumsum(size * torch.sin(direction), 1) / 8
    return torch.cat([x, y], 1) + 0.05 * torch.randn(n, 2 * POINTS)


class VAE(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.fc1 = nn.Linear(2 * POINTS, 128)
        self.fc21 = nn.Linear(128, latent)
        self.fc22 = nn.Linear(128, latent)
        self.fc3 = nn.Linear(latent, 128)
        self.fc4 = nn.Linear(128, 2 * POINTS)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        return mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    mse = 0.5 * F.mse_loss(recon_x, x, reduction="sum") / SIGMA**2
    kld = 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (mse + kld) / len(x)


def bound(model, x):
    model.eval()
    with torch.no_grad():
        recon, mu, logvar = model(x)
        rest = 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1)
        return (0.5 * ((recon - x) ** 2).sum(1) / SIGMA**2 + rest).mean().item()


def main():
    torch.manual_seed(2)
    train, test = paths(4000), paths(1000)
    loader = DataLoader(TensorDataset(train), batch_size=64, shuffle=True)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(1, 21):
        model.train()
        train_loss = 0.0
        for (data,) in loader:
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            optimizer.step()
            train_loss += loss.item()
        print(f"====> Epoch: {epoch} Loss: {train_loss / len(loader):.4f} Bound: {bound(model, test):.3f}")
    print(f"metric: {bound(model, test):.4f}")


if __name__ == "__main__":
    main()
