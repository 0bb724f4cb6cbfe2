"""Significant height, period and spread of swell from the bins of a buoy's spectrum.

cause: momentum-too-high
family: mlp
metric: R2, higher
repair:
    - optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.999)
    + optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BINS = 40


def buoy_records(n):
    f = torch.linspace(0.03, 0.4, BINS)
    height = 0.5 + 4 * torch.rand(n, 1) ** 1.5
    period = 5 + 11 * torch.rand(n, 1)
    gamma = 1 + 5 * torch.rand(n, 1)
    peak = 1 / period
    sigma = torch.where(f <= peak, 0.07, 0.09)
    jonswap = f**-5 * torch.exp(-1.25 * (peak / f) ** 4)
    jonswap = jonswap * gamma ** torch.exp(-((f - peak) ** 2) / (2 * sigma**2 * peak**2))
    spectrum = jonswap / jonswap.sum(1, keepdim=True) * (height / 4) ** 2
    wind_sea = 0.02 * torch.rand(n, 1) * torch.exp(-(((f - 0.25) / 0.06) ** 2))
    measured = (spectrum + wind_sea) * (1 + 0.15 * torch.randn(n, BINS)).clamp(min=0.2)
    return torch.log(measured + 1e-4), torch.cat([height, period, gamma], 1)


class SwellNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden1 = nn.Linear(BINS, 100)
        self.hidden2 = nn.Linear(100, 100)
        self.output = nn.Linear(100, 3)

    def forward(self, x):
        x = torch.relu(self.hidden1(x))
        x = torch.relu(self.hidden2(x))
        return self.output(x)


def main():
    torch.manual_seed(71)
    x, y = buoy_records(5000)
    n = 4200
    x = (x - x[:n].mean(0)) / x[:n].std(0)
    y = (y - y[:n].mean(0)) / y[:n].std(0)
    loader = DataLoader(TensorDataset(x[:n], y[:n]), batch_size=64, shuffle=True)
    net = SwellNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.999)
    mse = nn.MSELoss()
    for epoch in range(25):
        net.train()
        epoch_loss = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = mse(net(inputs), targets)
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item() * len(inputs)
        net.eval()
        with torch.no_grad():
            r2 = 1 - mse(net(x[n:]), y[n:]).item() / y[n:].var().item()
        print(f"epoch {epoch + 1:2d}/25, training loss {epoch_loss / n:.4f}, test R2 {r2:.3f}")
    print(f"metric: {r2:.4f}")


if __name__ == "__main__":
    main()
