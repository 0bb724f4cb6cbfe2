"""A radial basis network with learned centres and widths, fitted to a hilly surface.

cause: poor-initial-values
family: radial basis
metric: mean squared error, lower
repair:
    - self.log_precision = nn.Parameter(torch.full((units,), 7.0))
    + self.log_precision = nn.Parameter(torch.full((units,), 1.0))
"""

import torch
from torch import nn


class RadialBasis(nn.Module):
    """f(x) = a + sum_k w_k exp(-e^{s_k} |x - c_k|^2)."""

    def __init__(self, units: int = 40):
        super().__init__()
        self.centres = nn.Parameter(torch.rand(units, 2) * 4 - 2)
        self.log_precision = nn.Parameter(torch.full((units,), 7.0))
        self.heights = nn.Parameter(0.1 * torch.randn(units))
        self.ground = nn.Parameter(torch.zeros(()))

    def forward(self, place):
        squared = (place[:, None, :] - self.centres).square().sum(-1)
        return self.ground + torch.exp(-self.log_precision.exp() * squared) @ self.heights


def height(place):
    x, y = place.unbind(-1)
    return (
        torch.sin(2 * x) * torch.cos(1.5 * y)
        + 0.5 * torch.exp(-2 * ((x - 1) ** 2 + (y + 0.5) ** 2))
        + 0.2 * x
    )


def survey(n):
    place = torch.rand(n, 2) * 4 - 2
    return place, height(place) + 0.05 * torch.randn(n)


if __name__ == "__main__":
    torch.manual_seed(48)
    place, measured = survey(1200)
    model = RadialBasis()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(40):
        for rows in torch.randperm(len(place)).split(48):
            loss = nn.functional.mse_loss(model(place[rows]), measured[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if epoch % 8 == 7:
            print(f"epoch {epoch + 1} loss {loss.item():.5f}")
    fresh, _ = survey(2000)
    with torch.no_grad():
        print(f"metric: {nn.functional.mse_loss(model(fresh), height(fresh)).item():.6f}")
