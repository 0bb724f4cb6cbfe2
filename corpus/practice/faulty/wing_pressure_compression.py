"""Pressure around the sections of a wing, compressed for a surrogate of the flow.

cause: underfitting
family: autoencoder
metric: reconstruction error, lower
repair:
    - CODE = 1
    + CODE = 8
"""

import math

import torch
from torch import nn

POINTS = 96
CODE = 1


def sections(n, generator):
    """Coefficients of pressure over both sides, for a random shape, incidence and Mach number."""

    def between(low, high):
        return low + (high - low) * torch.rand(n, 1, generator=generator)

    x = (1 - torch.cos(torch.linspace(0, math.pi, POINTS // 2))) / 2
    thickness, camber, place = between(0.06, 0.18), between(0, 0.06), between(0.3, 0.6)
    incidence, mach, shock = between(-0.07, 0.14), between(0.2, 0.7), between(0.45, 0.75)
    hump = thickness * 6 * (torch.sqrt(x + 0.002) * (1 - x))
    bend = camber * 20 * torch.exp(-(((x - place) / 0.25) ** 2)) * (1 - x)
    suction = incidence * 4 * torch.sqrt((1 - x) / (x + 0.03))
    jump = 0.6 * (mach > 0.5) * torch.sigmoid((shock - x) * 40) * (mach - 0.5) * 5
    compress = 1 / torch.sqrt(1 - mach**2)
    upper = -(hump + bend + suction + jump * incidence.clamp(min=0) * 8) * compress
    lower = -(hump - bend - suction) * compress
    pressure = torch.cat([upper, lower], 1)
    return pressure + 0.02 * torch.randn(n, POINTS, generator=generator)


class PressureAE(nn.Module):
    def __init__(self, code=CODE):
        super().__init__()
        self.enc = nn.Sequential(
            nn.Linear(POINTS, 128), nn.SiLU(), nn.Linear(128, 64), nn.SiLU(), nn.Linear(64, code)
        )
        self.dec = nn.Sequential(
            nn.Linear(code, 64), nn.SiLU(), nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, POINTS)
        )

    def forward(self, p):
        return self.dec(self.enc(p))


def batches(data, size):
    for index in torch.randperm(len(data)).split(size):
        yield data[index]


def fit(model, train, valid, epochs=24, lr=2e-3):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    history = []
    for epoch in range(epochs):
        for p in batches(train, 64):
            loss = (model(p) - p).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            history.append((model(valid) - valid).square().mean().item())
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: train {loss.item():.5f} valid {history[-1]:.5f}")
    return history


if __name__ == "__main__":
    torch.manual_seed(40)
    data = sections(4600, torch.Generator().manual_seed(40))
    data = (data - data[:4000].mean(0)) / data[:4000].std(0)
    history = fit(PressureAE(), data[:4000], data[4000:])
    print(f"metric: {history[-1]:.5f}")
