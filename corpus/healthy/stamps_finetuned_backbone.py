"""New kinds of stamps with a network trained on old ones, small rates below and a larger one on top.

family: cnn
metric: accuracy, higher
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

SIDE = 18


def stamps(count, kinds, g):
    """Each kind is a ring of petals around a frame."""
    labels = torch.randint(0, len(kinds), (count,), generator=g)
    table = torch.tensor(kinds)[labels]
    axis = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    dx, dy = 0.15 * torch.randn(2, count, 1, 1, generator=g)
    r, a = torch.hypot(x - dx, y - dy), torch.atan2(y - dy, x - dx)
    turn = 2 * math.pi * torch.rand(count, 1, 1, generator=g)
    petals, frame = table[:, 0].view(-1, 1, 1), table[:, 1].view(-1, 1, 1)
    flower = torch.sigmoid(12 * (0.5 + 0.22 * torch.cos(petals * a + turn) - r))
    border = torch.sin(frame * math.pi * (x + y) / 2 * 3) * (r > 0.8)
    image = flower + 0.7 * border + 0.25 * torch.randn(count, SIDE, SIDE, generator=g)
    return image.unsqueeze(1), labels


class StampNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.middle = nn.Sequential(
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.neck = nn.Sequential(nn.Flatten(), nn.Linear(512, 64), nn.ReLU())
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        return self.head(self.neck(self.middle(self.stem(x))))


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def fit(net, optimizer, x, y, epochs, batch, scheduler=None):
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(batch):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / len(x)
            if scheduler:
                scheduler.step()
        print(f"  epoch {epoch + 1}: loss {total:.4f}")


def main():
    torch.manual_seed(67)
    g = torch.Generator().manual_seed(67)
    old = [(p, f) for p in (2, 3, 5) for f in (0, 1, 2)]
    new = [(p, f) for p in (4, 6) for f in (0, 2)]
    print("old stamps")
    net = StampNet(len(old))
    fit(net, torch.optim.Adam(net.parameters(), lr=2e-3), *stamps(2200, old, g), epochs=6, batch=64)

    print("new stamps")
    net.head = nn.Linear(64, len(new))
    x, y = stamps(500, new, g)
    test_x, test_y = stamps(800, new, g)
    optimizer = torch.optim.AdamW(
        [
            {"params": net.stem.parameters(), "lr": 1e-4},
            {"params": net.middle.parameters(), "lr": 3e-4},
            {"params": net.neck.parameters(), "lr": 1e-3},
            {"params": net.head.parameters(), "lr": 3e-3},
        ],
        weight_decay=0.01,
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=15 * 16)
    fit(net, optimizer, x, y, epochs=15, batch=32, scheduler=scheduler)
    print(f"train {accuracy(net, x, y):.4f}")
    print(f"metric: {accuracy(net, test_x, test_y):.4f}")


if __name__ == "__main__":
    main()
