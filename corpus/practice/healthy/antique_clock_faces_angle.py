"""A convolutional net reads the time off drawn clock faces; the angle is a point on the circle.

family: cnn
metric: mean error in minutes, lower
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def clocks(n, g, size=24):
    minutes = torch.rand(n, generator=g) * 60
    angle = minutes / 60 * 2 * math.pi
    axis = torch.linspace(-1, 1, size)
    x, y = axis.view(1, 1, -1), -axis.view(1, -1, 1)
    cx = 0.1 * torch.randn(n, 1, 1, generator=g)
    cy = 0.1 * torch.randn(n, 1, 1, generator=g)
    px, py = x - cx, y - cy
    s, c = angle.sin().view(-1, 1, 1), angle.cos().view(-1, 1, 1)
    along, across = px * s + py * c, px * c - py * s
    length = 0.55 + 0.15 * torch.rand(n, 1, 1, generator=g)
    hand = (
        torch.exp(-((across / 0.07) ** 2)) * torch.sigmoid(20 * along) * torch.sigmoid(25 * (length - along))
    )
    r = (px**2 + py**2).sqrt()
    rim = torch.exp(-(((r - 0.85) / 0.06) ** 2))
    image = 0.9 - 0.8 * hand - 0.4 * rim + 0.08 * torch.randn(n, size, size, generator=g)
    return image.unsqueeze(1), torch.stack([angle.sin(), angle.cos()], 1)


def block(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)
    )


class ClockReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(block(1, 12), block(12, 24), block(24, 32))
        self.head = nn.Linear(32 * 9, 2)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


def minutes_off(pred, true):
    a, b = torch.atan2(pred[:, 0], pred[:, 1]), torch.atan2(true[:, 0], true[:, 1])
    d = (a - b + math.pi) % (2 * math.pi) - math.pi
    return d.abs().mean().item() * 60 / (2 * math.pi)


if __name__ == "__main__":
    torch.manual_seed(9)
    g = torch.Generator().manual_seed(9)
    train, test = clocks(2400, g), clocks(600, g)
    loader = DataLoader(TensorDataset(*train), batch_size=48, shuffle=True)
    net = ClockReader()
    optim = torch.optim.AdamW(net.parameters(), lr=2e-3)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(optim, T_max=8 * len(loader))
    for epoch in range(8):
        net.train()
        total = 0.0
        for x, y in loader:
            # only the direction of the output counts
            loss = -nn.functional.cosine_similarity(net(x), y).mean()
            optim.zero_grad()
            loss.backward()
            optim.step()
            sched.step()
            total += loss.item()
        net.eval()
        with torch.no_grad():
            off = minutes_off(net(test[0]), test[1])
        print(f"epoch {epoch}  objective {total / len(loader):.4f}  off by {off:.2f} min")
    print(f"metric: {off:.4f}")
