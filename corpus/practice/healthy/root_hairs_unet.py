"""Root hairs in scanner pictures, thin and rare, segmented by a small U-Net with dice and cross-entropy.

family: cnn
metric: dice, higher
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def scans(n, seed, size=32):
    g = torch.Generator().manual_seed(seed)
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    masks = torch.zeros(n, 1, size, size)
    for i in range(n):
        for _ in range(2):
            a, b, c = torch.rand(3, generator=g).tolist()
            bend = 6 * (c - 0.5)
            path = size * a + (xx - size / 2) * (b - 0.5) * 1.5 + bend * torch.sin(xx / 7 + 6 * c)
            stretch = (xx > size * b * 0.5) & (xx < size * (0.5 + 0.5 * c))
            masks[i, 0] += ((yy - path).abs() < 0.9) & stretch
    masks.clamp_(max=1)
    soil = F.interpolate(torch.randn(n, 1, 8, 8, generator=g), size=size, mode="bilinear") * 0.5
    pictures = 0.9 * masks + soil + 0.3 * torch.randn(masks.shape, generator=g)
    return TensorDataset(pictures, masks)


def double_conv(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1, bias=False),
        nn.BatchNorm2d(o),
        nn.ReLU(inplace=True),
        nn.Conv2d(o, o, 3, padding=1, bias=False),
        nn.BatchNorm2d(o),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down1, self.down2, self.down3 = (
            double_conv(1, width),
            double_conv(width, 16),
            double_conv(16, 32),
        )
        self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.dec2 = double_conv(32, 16)
        self.up1 = nn.ConvTranspose2d(16, width, 2, stride=2)
        self.dec1 = double_conv(2 * width, width)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.down3(F.max_pool2d(b, 2))
        b = self.dec2(torch.cat([self.up2(c), b], 1))
        a = self.dec1(torch.cat([self.up1(b), a], 1))
        return self.last(a)


def dice_loss(logits, target, eps=1.0):
    p = torch.sigmoid(logits).flatten(1)
    t = target.flatten(1)
    return (1 - (2 * (p * t).sum(1) + eps) / (p.sum(1) + t.sum(1) + eps)).mean()


def dice_score(net, loader):
    net.eval()
    overlap = size = 0.0
    with torch.no_grad():
        for x, t in loader:
            p = (net(x) > 0).float()
            overlap += 2 * (p * t).sum().item()
            size += (p.sum() + t.sum()).item()
    return overlap / size


if __name__ == "__main__":
    torch.manual_seed(14)
    train_loader = DataLoader(scans(400, 1), batch_size=16, shuffle=True, drop_last=True)
    test_loader = DataLoader(scans(120, 2), batch_size=40)
    net = UNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(9):
        net.train()
        running = 0.0
        for x, t in train_loader:
            logits = net(x)
            loss = F.binary_cross_entropy_with_logits(logits, t) + dice_loss(logits, t)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"{epoch + 1}: loss {running / len(train_loader):.3f} dice {dice_score(net, test_loader):.4f}")
    print(f"metric: {dice_score(net, test_loader):.4f}")
