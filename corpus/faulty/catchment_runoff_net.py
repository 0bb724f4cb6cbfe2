"""Runoff of small catchments from rain and soil, judged by the logarithm of the ratio.

cause: not-finite
family: mlp
metric: root mean squared logarithmic error, lower
repair:
    - return F.relu(self.out(h)).squeeze(1)
    + return F.softplus(self.out(h)).squeeze(1) + 1e-3
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Catchments(Dataset):
    """Rain of three days, slope, soil moisture and share of forest; runoff in millimetres."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        rain = -8 * torch.log(torch.rand(n, 3, generator=g))
        slope, moisture, forest = torch.rand(3, n, generator=g)
        wet = rain @ torch.tensor([0.6, 0.3, 0.1])
        flow = wet * (0.15 + 0.7 * moisture * (1 - 0.6 * forest)) * (0.6 + slope)
        self.runoff = (flow * torch.exp(0.15 * torch.randn(n, generator=g))).float() + 0.05
        self.x = torch.cat([rain / 8 - 1, torch.stack([slope, moisture, forest], 1) * 3 - 1.5], 1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.runoff[i]


class Runoff(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.one, self.two = nn.Linear(6, 48), nn.Linear(48, 48)
        self.out = nn.Linear(48, 1)
        nn.init.constant_(self.out.bias, mean)

    def forward(self, x):
        h = F.silu(self.two(F.silu(self.one(x))))
        return F.relu(self.out(h)).squeeze(1)


def log_error(predicted, measured):
    return (torch.log(predicted) - torch.log(measured)).pow(2).mean()


def main():
    torch.manual_seed(3)
    train, test = Catchments(1500, 1), Catchments(500, 2)
    loader = DataLoader(train, batch_size=50, shuffle=True)
    model = Runoff(train.runoff.mean().item())
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(1, 13):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = log_error(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        print(f"epoch {epoch:2d}  train rmsle {(total / len(train)) ** 0.5:.4f}")
    model.eval()
    with torch.no_grad():
        print(f"metric: {log_error(model(test.x), test.runoff).sqrt().item():.5f}")


if __name__ == "__main__":
    main()
