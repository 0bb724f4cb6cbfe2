"""A variational autoencoder of growth curves; how well are curves restored that it has not seen?

cause: evaluating-in-train-mode
begins: 95
family: vae
metric: restoration error, lower
repair:
    - restored, _, _ = vae(curves)
    + vae.eval()
    + restored, _, _ = vae(curves)
"""

import math

import torch
from torch import nn


def growth(n, points=32):
    """Curves that rise once or twice, sooner or later, by more or less."""
    t = torch.linspace(0, 1, points)
    first, second = torch.rand(n, 1) * 0.5, 0.5 + torch.rand(n, 1) * 0.5
    part, steep = torch.rand(n, 1), 8 + 20 * torch.rand(n, 1)
    curve = part * torch.sigmoid(steep * (t - first)) + (1 - part) * torch.sigmoid(steep * (t - second))
    return 2 * curve - 1 + 0.02 * torch.randn(n, points)


class CurveVAE(nn.Module):
    def __init__(self, points=32, width=64, code=5):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(points, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.mean = nn.Linear(width, code)
        self.log_var = nn.Linear(width, code)
        self.decoder = nn.Sequential(
            nn.Linear(code, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, points)
        )

    def sample(self, mean, log_var):
        if self.training:
            return mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return mean

    def forward(self, curve):
        h = self.trunk(curve)
        mean, log_var = self.mean(h), self.log_var(h).clamp(-8, 4)
        return self.decoder(self.sample(mean, log_var)), mean, log_var


def negative_elbo(restored, curve, mean, log_var, sigma=0.15):
    nll = 0.5 * ((restored - curve) / sigma).square().sum(1) + restored.shape[1] * math.log(sigma)
    kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
    return (nll + kl).mean()


def test_error(vae, curves):
    with torch.no_grad():
        restored, _, _ = vae(curves)
    return (restored - curves).square().mean().item()


if __name__ == "__main__":
    torch.manual_seed(2)
    curves, unseen = growth(3000), growth(600)
    vae = CurveVAE()
    optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
    for epoch in range(14):
        vae.train()
        total = 0.0
        for rows in torch.randperm(len(curves)).split(64):
            restored, mean, log_var = vae(curves[rows])
            loss = negative_elbo(restored, curves[rows], mean, log_var)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        if epoch % 2:
            print(f"epoch {epoch + 1}: -ELBO {total / len(curves):.3f}, test {test_error(vae, unseen):.5f}")
    print(f"metric: {test_error(vae, unseen):.5f}")
