"""A variational autoencoder of leaf outlines, each given by its radius in 48 directions.

cause: momentum-too-high
family: vae
metric: negative evidence bound, lower
repair:
    - return torch.optim.Adam(self.parameters(), lr=self.rate, betas=(0.999, 0.9))
    + return torch.optim.Adam(self.parameters(), lr=self.rate, betas=(0.9, 0.999))
"""

import math

import torch
from torch import nn


def leaves(n, generator):
    def uniform(low, high):
        return low + (high - low) * torch.rand(n, 1, generator=generator)

    angle = torch.linspace(0, 2 * math.pi, 49)[:-1]
    lobes = torch.randint(3, 6, (n, 1), generator=generator)
    turn = uniform(-0.3, 0.3)
    radius = 1 + uniform(0.1, 0.5) * torch.cos(lobes * (angle - turn)) + uniform(-0.3, 0.3) * torch.cos(angle)
    radius = radius + uniform(0, 0.25) * torch.exp(4 * (torch.cos(angle - turn) - 1))
    return radius + 0.03 * torch.randn(n, 48, generator=generator)


class LeafVAE(nn.Module):
    def __init__(self, code=6, hidden=64, rate=2e-3):
        super().__init__()
        self.rate = rate
        self.encoder = nn.Sequential(nn.Linear(48, hidden), nn.SiLU(), nn.Linear(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.SiLU(), nn.Linear(hidden, 48))
        self.log_scale = nn.Parameter(torch.tensor(-0.5))

    def negative_bound(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        error = (x - self.decoder(z)) * torch.exp(-self.log_scale)
        reconstruction = (error.pow(2) / 2 + self.log_scale + math.log(2 * math.pi) / 2).sum(1)
        divergence = (mean.pow(2) + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return (reconstruction + divergence).mean()

    def configure(self):
        return torch.optim.Adam(self.parameters(), lr=self.rate, betas=(0.999, 0.9))

    def fit(self, data, epochs, size=100):
        optimizer = self.configure()
        for epoch in range(epochs):
            for batch in data[torch.randperm(len(data))].split(size):
                optimizer.zero_grad()
                loss = self.negative_bound(batch)
                loss.backward()
                optimizer.step()
            print(f"epoch {epoch:2d}: {loss.item():.3f}")
        return self


def main():
    torch.manual_seed(12)
    generator = torch.Generator().manual_seed(12)
    train, test = leaves(2000, generator), leaves(500, generator)
    model = LeafVAE().fit(train, epochs=40)
    model.eval()
    with torch.no_grad():
        bound = sum(model.negative_bound(test).item() for _ in range(5)) / 5
    print(f"metric: {bound:.4f}")


if __name__ == "__main__":
    main()
