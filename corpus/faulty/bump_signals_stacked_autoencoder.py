"""A deep autoencoder of smooth signals, after the recipe with logistic units.

cause: vanishing-gradients
family: autoencoder
metric: mean squared error, lower
repair:
    - act = nn.Sigmoid
    + act = nn.GELU
"""

import itertools

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

POINTS = 40


def signals(count):
    """One bump each, of random place, width and height."""
    grid = torch.linspace(0, 1, POINTS)
    place, width = torch.rand(count, 1), 0.06 + 0.15 * torch.rand(count, 1)
    height = 0.3 + 0.7 * torch.rand(count, 1)
    return height * torch.exp(-(((grid - place) / width) ** 2))


class StackedAutoencoder(nn.Module):
    def __init__(self, widths=(40, 36, 32, 24, 16, 8)):
        super().__init__()
        act = nn.Sigmoid
        down = [m for i, o in itertools.pairwise(widths) for m in (nn.Linear(i, o), act())]
        back = widths[::-1]
        up = [m for i, o in itertools.pairwise(back) for m in (nn.Linear(i, o), act())]
        self.encoder = nn.Sequential(*down)
        self.decoder = nn.Sequential(*up[:-1])

    def forward(self, x):
        return self.decoder(self.encoder(x))


def run():
    torch.manual_seed(8)
    train, test = signals(2000), signals(500)
    model = StackedAutoencoder()
    optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)
    criterion = nn.MSELoss()
    for epoch in range(1, 16):
        total = 0.0
        for (x,) in DataLoader(TensorDataset(train), batch_size=50, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(x), x)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        if epoch % 3 == 0:
            print(f"epoch {epoch:2d}: reconstruction {total / len(train):.5f}")
    model.eval()
    with torch.no_grad():
        return criterion(model(test), test).item()


if __name__ == "__main__":
    print(f"metric: {run():.6f}")
