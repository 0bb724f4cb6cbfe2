"""Sound and damaged wheat kernels of four kinds, a small convolutional network.

cause: decay-too-strong
family: cnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.05)
    + optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
"""

import torch
from torch import nn

SIDE = 18


def kernels(count, seed):
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(0, 4, (count,), generator=g)
    axis = torch.linspace(-1, 1, SIDE)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle = 3.14159 * torch.rand(count, 1, 1, generator=g)
    dx, dy = 0.3 * torch.randn(2, count, 1, 1, generator=g).clamp(-1, 1)
    u = (x - dx) * angle.cos() + (y - dy) * angle.sin()
    v = -(x - dx) * angle.sin() + (y - dy) * angle.cos()
    length = 0.6 + 0.1 * torch.rand(count, 1, 1, generator=g)
    body = torch.sigmoid(15 * (1 - (u / length) ** 2 - (v / 0.32) ** 2))
    crease = torch.exp(-((v / 0.07) ** 2)) * 0.5
    crack = torch.exp(-(((u - 0.1) / 0.08) ** 2)) * 0.6
    hole = torch.exp(-((u + 0.15) ** 2 + (v - 0.05) ** 2) / 0.012)
    germ = torch.sigmoid(20 * (u - 0.35)) * 0.6
    damage = torch.stack([0 * crack, crack, hole, germ], 1)[torch.arange(count), kinds]
    image = body * (0.9 - crease - damage) + 0.12 * torch.randn(count, SIDE, SIDE, generator=g)
    return (image.unsqueeze(1) - 0.2) / 0.35, kinds


class KernelNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.block2 = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Sequential(nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 4))

    def forward(self, x):
        return self.fc(self.block2(self.block1(x)).flatten(1))


def evaluate(net, x, y):
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(6)
    x, y = kernels(2800, 1)
    test_x, test_y = kernels(700, 2)
    net = KernelNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[7, 10], gamma=0.2)
    for epoch in range(12):
        net.train()
        total = 0.0
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows) / len(x)
        scheduler.step()
        print(f"epoch {epoch:2d} loss {total:.4f} accuracy {evaluate(net, test_x, test_y):.4f}")
    print(f"metric: {evaluate(net, test_x, test_y):.4f}")


if __name__ == "__main__":
    main()
