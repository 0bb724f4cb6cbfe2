"""Mirror-symmetric inkblots in a variational autoencoder with a warmed-up divergence and a cosine rate.

family: vae
metric: negative elbo per picture, lower
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

SIDE = 20


def inkblots(n, seed):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[0:SIDE, 0 : SIDE // 2]
    out = np.zeros((n, SIDE, SIDE // 2))
    for i in range(n):
        for _ in range(3):
            cx, cy, s = rng.uniform(2, 9), rng.uniform(4, 16), rng.uniform(1.3, 3)
            out[i] += np.exp(-(((xx - cx) ** 2 + ((yy - cy) * rng.uniform(0.6, 1.3)) ** 2) / (2 * s * s)))
    half = (out > 0.45).astype(np.float32)
    return torch.tensor(np.concatenate([half, half[:, :, ::-1]], axis=2)).flatten(1)


class VAE(nn.Module):
    def __init__(self, latent=12, hidden=200):
        super().__init__()
        self.fc1 = nn.Linear(SIDE * SIDE, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, SIDE * SIDE)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def parts(logits, x, mu, logvar):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp()) / len(x)
    return bce, kld


def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader), eta_min=1e-5)
    for epoch in range(epochs):
        model.train()
        beta = min(1.0, (epoch + 1) / 6)
        sums = np.zeros(2)
        for (x,) in loader:
            optimizer.zero_grad()
            bce, kld = parts(*(out := model(x))[:1], x, *out[1:])
            (bce + beta * kld).backward()
            optimizer.step()
            scheduler.step()
            sums += bce.item(), kld.item()
        bce, kld = sums / len(loader)
        print(f"====> Epoch {epoch + 1}: reconstruction {bce:.2f}, divergence {kld:.2f}, beta {beta:.2f}")


if __name__ == "__main__":
    torch.manual_seed(1921)
    loader = DataLoader(TensorDataset(inkblots(3000, 1)), batch_size=50, shuffle=True)
    test = inkblots(600, 2)
    model = VAE()
    train(model, loader, epochs=18)
    model.eval()
    with torch.no_grad():
        logits, mu, logvar = model(test)
        bce, kld = parts(logits, test, mu, logvar)
    p = test.mean(0).clamp(1e-3, 1 - 1e-3)
    print(f"independent pixels: {F.binary_cross_entropy(p.expand_as(test), test, reduction='sum') / 600:.2f}")
    print(f"metric: {(bce + kld).item():.3f}")
