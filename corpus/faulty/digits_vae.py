"""A variational autoencoder on handwritten digits.

cause: wrong-loss-sign
family: vae
metric: reconstruction_error, lower
repair:
    - kl = 0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum(1).mean()
    + kl = -0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum(1).mean()
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class VAE(nn.Module):
    def __init__(self, latent=8, width=96):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.to_mu = nn.Linear(width, latent)
        self.to_log_var = nn.Linear(width, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64)
        )

    def encode(self, x):
        h = self.encoder(x)
        return self.to_mu(h), self.to_log_var(h).clamp(-8, 8)

    def forward(self, x):
        mu, log_var = self.encode(x)
        z = mu + torch.randn_like(mu) * (0.5 * log_var).exp()
        return self.decoder(z), mu, log_var


def vae_loss(logits, x, mu, log_var):
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    kl = 0.5 * (1 + log_var - mu.pow(2) - log_var.exp()).sum(1).mean()
    return reconstruction + kl, reconstruction, kl


def main():
    torch.manual_seed(0)
    x = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    x = x[torch.randperm(len(x))]
    train, test = x[:1500], x[1500:]

    vae = VAE()
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for epoch in range(1, 31):
        for batch in train[torch.randperm(len(train))].split(50):
            loss, reconstruction, kl = vae_loss(*_with(batch, vae))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0:
            print(f"epoch {epoch}: loss {loss:.2f} = reconstruction {reconstruction:.2f} + kl {kl:.2f}")

    with torch.no_grad():
        logits, _, _ = vae(test)
        error = F.mse_loss(torch.sigmoid(logits), test)
    print(f"metric: {error.item():.5f}")


def _with(batch, vae):
    logits, mu, log_var = vae(batch)
    return logits, batch, mu, log_var


if __name__ == "__main__":
    main()
