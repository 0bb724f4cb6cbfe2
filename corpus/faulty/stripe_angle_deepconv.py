"""A deep plain convolutional network that regresses the orientation of a striped patch.

cause: vanishing-gradients
also: poor-initial-values
family: cnn
metric: mean squared error, lower
repair:
    - x = torch.tanh(layer(x))
    + x = x + torch.tanh(layer(x))
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Stripes(Dataset):
    def __init__(self, n, seed, size=10):
        g = torch.Generator().manual_seed(seed)
        theta = torch.rand(n, generator=g) * math.pi
        phase = torch.rand(n, generator=g) * 2 * math.pi
        axis = torch.linspace(-1, 1, size)
        yy, xx = torch.meshgrid(axis, axis, indexing="ij")
        t = theta[:, None, None]
        waves = torch.sin(6 * (xx * torch.cos(t) + yy * torch.sin(t)) + phase[:, None, None])
        self.images = (waves + 0.2 * torch.randn(waves.shape, generator=g)).unsqueeze(1)
        # an orientation has period pi, so the target is the doubled angle on the circle
        self.targets = torch.stack([torch.cos(2 * theta), torch.sin(2 * theta)], dim=1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.targets[i]


class DeepConv(nn.Module):
    def __init__(self, channels=8, depth=12):
        super().__init__()
        self.stem = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth))
        self.head = nn.Linear(channels * 25, 2)

    def forward(self, x):
        x = torch.tanh(self.stem(x))
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(x.flatten(1))


if __name__ == "__main__":
    torch.manual_seed(0)
    train, test = Stripes(1000, seed=1), Stripes(300, seed=2)
    net = DeepConv()
    opt = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    mse = nn.MSELoss()
    for epoch in range(10):
        for images, targets in DataLoader(train, batch_size=50, shuffle=True):
            opt.zero_grad()
            loss = mse(net(images), targets)
            loss.backward()
            opt.step()
        with torch.no_grad():
            error = mse(net(test.images), test.targets).item()
        print(f"epoch {epoch}  train {loss.item():.4f}  test {error:.4f}")
    print(f"metric: {error:.5f}")
