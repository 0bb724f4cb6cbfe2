"""A VAE on noisy damped oscillations; the weight of its KL term is raised step by step.

family: vae
metric: held-out negative evidence lower bound per curve in nats, lower
"""

import math

import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

LENGTH, LATENT, NOISE = 40, 3, 0.1


def curves(n, seed):
    g = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, LENGTH)
    speed = 1 + 2 * torch.rand(n, 1, generator=g)
    damping = 3 * torch.rand(n, 1, generator=g)
    clean = torch.exp(-damping * t) * torch.sin(2 * math.pi * speed * t)
    return clean + NOISE * torch.randn(n, LENGTH, generator=g)


def tower(i, o, width=96):
    return nn.Sequential(
        nn.Linear(i, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, o)
    )


class CurveVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = tower(LENGTH, 2 * LATENT)
        self.decoder = tower(LATENT, LENGTH)

    def terms(self, x):
        mean, raw = self.encoder(x).chunk(2, dim=1)
        posterior = Independent(Normal(mean, nn.functional.softplus(raw) + 1e-3), 1)
        prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
        likelihood = Independent(Normal(self.decoder(posterior.rsample()), NOISE), 1)
        return likelihood.log_prob(x).mean(), kl_divergence(posterior, prior).mean()


def main():
    torch.manual_seed(4)
    train, test = curves(4000, 0), curves(1000, 1)
    model = CurveVAE()
    opt = torch.optim.Adamax(model.parameters(), lr=4e-3)
    epochs, ramp = 25, 15
    for epoch in range(epochs):
        beta = min(1.0, (epoch + 1) / ramp)
        total = 0.0
        for batch in train[torch.randperm(len(train))].split(100):
            log_likelihood, kl = model.terms(batch)
            loss = beta * kl - log_likelihood
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        if epoch >= epochs - 5:
            for group in opt.param_groups:
                group["lr"] *= 0.5
        with torch.no_grad():
            log_likelihood, kl = model.terms(test)
        print(
            f"{epoch:2d} beta {beta:.2f} loss {total / 40:8.3f} | "
            f"test log p {log_likelihood.item():7.2f} kl {kl.item():6.2f}"
        )
    print(f"metric: {(kl - log_likelihood).item():.3f}")


main()
