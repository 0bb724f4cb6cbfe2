"""Lichens on churchyard walls: a convnet from another survey gets a new end, its norms stay as they were.

cause: evaluating-in-train-mode
begins: 116
family: cnn
metric: accuracy, higher
repair:
    - super().train()
    + super().train(mode)
"""

import torch
import torch.nn.functional as F
from torch import nn

SIZE = 12


class Survey:
    """Pictures with two channels: each lichen has a grain, a lobe shape and a colour of its own."""

    def __init__(self, species, seed):
        g = torch.Generator().manual_seed(seed)
        self.grain = torch.randn(species, 2, 5, 5, generator=g)
        self.colour = 0.4 * torch.randn(species, 2, 1, 1, generator=g)

    def pictures(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        label = torch.randint(len(self.grain), (n,), generator=g)
        spots = (torch.rand(n, 1, SIZE, SIZE, generator=g) < 0.08).float()
        kernels = self.grain[label].view(-1, 1, 5, 5)
        spots = spots.expand(n, 2, SIZE, SIZE).reshape(1, 2 * n, SIZE, SIZE)
        image = F.conv2d(spots, kernels, padding=2, groups=2 * n).view(n, 2, SIZE, SIZE)
        light = 0.8 + 0.4 * torch.rand(n, 1, 1, 1, generator=g)
        return light * (image + self.colour[label]) + 0.9 * torch.randn(image.shape, generator=g), label


class LichenNet(nn.Module):
    def __init__(self, species, width=16):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, width, 5, padding=2),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.end = self.new_end(8 * width, species)
        self.norms_fixed = False

    @staticmethod
    def new_end(inputs, species):
        return nn.Sequential(
            nn.Dropout(0.4), nn.Linear(inputs, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, species)
        )

    def forward(self, x):
        return self.end(self.features(x))


class TransferredNet(LichenNet):
    """Keeps the batch norms' statistics of the first survey, whatever the mode."""

    def train(self, mode=True):
        super().train()
        for module in self.features:
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def fit(net, images, labels, test, epochs, lr, batch=32):
    optimizer = torch.optim.Adam((p for p in net.parameters() if p.requires_grad), lr=lr)
    for epoch in range(epochs):
        net.train()
        for rows in torch.randperm(len(images)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(test[0]).argmax(1) == test[1]).float().mean().item()
        print(f"  {epoch + 1:2d}: {accuracy:.4f}")
    return accuracy


torch.manual_seed(83)
coast, churchyard = Survey(8, 830), Survey(6, 831)
print("coast")
first = LichenNet(8)
fit(first, *coast.pictures(800, 1), coast.pictures(200, 2), epochs=4, lr=2e-3)
print("churchyard")
net = TransferredNet(6)
net.features.load_state_dict(first.features.state_dict())
result = fit(net, *churchyard.pictures(480, 3), churchyard.pictures(600, 4), epochs=10, lr=1e-3)
print(f"metric: {result:.4f}")
