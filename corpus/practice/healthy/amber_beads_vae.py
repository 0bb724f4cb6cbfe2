"""A variational autoencoder of bead photographs, sixteen latent numbers wide.

family: vae
metric: evidence lower bound in nats per picture (negated), lower
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

SIDE = 14
LATENT = 16


def beads(n, generator):
    """Grey discs with a bright spot: position, radius and light differ; pixels are then binarised."""
    axis = torch.linspace(-1, 1, SIDE)
    x, y = axis.view(1, 1, -1), axis.view(1, -1, 1)
    cx, cy = (torch.rand(2, n, 1, 1, generator=generator) - 0.5) * 0.9
    radius = 0.3 + 0.35 * torch.rand(n, 1, 1, generator=generator)
    distance = ((x - cx) ** 2 + (y - cy) ** 2).sqrt()
    p = 0.03 + 0.9 * torch.sigmoid((radius - distance) * 14)
    p = p - 0.75 * torch.exp(-(distance**2) / (0.15 * radius**2))
    p = p.clamp(0.03, 0.97)
    return (torch.rand(n, SIDE, SIDE, generator=generator) < p).float().flatten(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(SIDE * SIDE, 200), nn.ReLU(), nn.Linear(200, 100), nn.ReLU(), nn.Linear(100, 2 * LATENT)
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT, 100), nn.ReLU(), nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, SIDE * SIDE)
        )

    def forward(self, x):
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


def elbo_terms(logits, x, mu, logvar):
    rec = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return rec, kl


torch.manual_seed(77)
generator = torch.Generator().manual_seed(77)
train, test = beads(6000, generator), beads(1000, generator)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
steps, batch = 1400, 100

for step in range(1, steps + 1):
    warm = min(1.0, step / 300)
    x = train[torch.randint(len(train), (batch,))]
    logits, mu, logvar = model(x)
    rec, kl = elbo_terms(logits, x, mu, logvar)
    loss = rec.mean() + warm * kl.sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 200 == 0:
        used = int((kl.mean(0) > 0.05).sum())
        print(f"step {step}: rec {rec.mean():.2f}  kl {kl.sum(1).mean():.2f}  latents in use {used}/{LATENT}")

model.eval()
with torch.no_grad():
    bounds = []
    for _ in range(5):
        logits, mu, logvar = model(test)
        rec, kl = elbo_terms(logits, test, mu, logvar)
        bounds.append((rec + kl.sum(1)).mean().item())
bound = sum(bounds) / len(bounds)
print(f"bits per pixel {bound / SIDE**2 / math.log(2):.4f}")
print(f"metric: {bound:.4f}")
