"""A convnet trained on garden flowers is taught six kinds of orchid from a few photographs of each.

cause: training-in-eval-mode
begins: 211
family: cnn
metric: accuracy, higher
repair:
    - if any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
    + if isinstance(module, nn.BatchNorm2d):
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE = 16


def flowers(n, kinds, petals, g, wobble):
    """Silhouettes: so many petals, so deep a cut between them, a throat that is light or dark."""
    label = torch.randint(0, kinds, (n,), generator=g)
    axis = torch.linspace(-1.2, 1.2, SIDE)
    v, u = torch.meshgrid(axis, axis, indexing="ij")
    shift = 0.15 * torch.randn(2, n, 1, 1, generator=g)
    u, v = u - shift[0], v - shift[1]
    r, phi = (u**2 + v**2).sqrt(), torch.atan2(v, u)
    count = torch.tensor(petals)[label].view(-1, 1, 1)
    turn = 2 * math.pi * torch.rand(n, 1, 1, generator=g)
    size = 0.75 + 0.12 * torch.randn(n, 1, 1, generator=g)
    edge = size * (0.75 + 0.25 * torch.cos(count * phi + turn))
    image = torch.sigmoid(14 * (edge - r))
    throat = torch.where(label % 2 == 0, -0.8, 0.5).view(-1, 1, 1)
    image = image + throat * torch.exp(-((r / 0.25) ** 2))
    return (image + wobble * torch.randn(n, SIDE, SIDE, generator=g)).unsqueeze(1), label


class Jitter(nn.Module):
    """Turns, mirrors and shifts each batch anew while training."""

    def forward(self, x):
        if not self.training:
            return x
        x = x.rot90(int(torch.randint(0, 4, ())), (2, 3))
        if torch.rand(()) < 0.5:
            x = x.flip(3)
        return x.roll(torch.randint(-2, 3, (2,)).tolist(), (2, 3))


class FlowerNet(nn.Module):
    def __init__(self, classes, width=16):
        super().__init__()
        self.jitter = Jitter()
        self.block1 = self.block(1, width)
        self.block2 = self.block(width, 2 * width)
        self.classifier = nn.Sequential(
            nn.Linear(2 * width * 16, 96),
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(96, classes),
        )

    @staticmethod
    def block(c_in, c_out):
        return nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )

    def forward(self, x):
        return self.classifier(self.block2(self.block1(self.jitter(x))).flatten(1))


def freeze_bn(net):
    """Keeps the running statistics of the larger set: batches of the small one are too few."""
    for module in net.modules():
        if any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
            module.eval()


def train(net, x, y, epochs, batch_size, lr, keep_statistics=False):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for epoch in range(epochs):
        net.train()
        if keep_statistics:
            freeze_bn(net)
        total = 0.0
        for idx in torch.randperm(len(x)).split(batch_size):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx) / len(x)
        if (epoch + 1) % 7 == 0:
            print(f"epoch {epoch + 1}: loss {total:.4f}")


@torch.no_grad()
def test(net, x, y):
    net.eval()
    return (net(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(14)
    g = torch.Generator().manual_seed(140)
    x_garden, y_garden = flowers(1800, 4, [4, 5, 6, 8], g, 0.2)
    x_orchid, y_orchid = flowers(160, 6, [3, 3, 5, 5, 7, 7], g, 0.2)
    x_test, y_test = flowers(900, 6, [3, 3, 5, 5, 7, 7], g, 0.2)

    net = FlowerNet(classes=4)
    train(net, x_garden, y_garden, epochs=7, batch_size=60, lr=1e-3)
    net.classifier[-1] = nn.Linear(96, 6)
    train(net, x_orchid, y_orchid, epochs=63, batch_size=20, lr=1e-3, keep_statistics=True)
    print(f"metric: {test(net, x_test, y_test):.4f}")
