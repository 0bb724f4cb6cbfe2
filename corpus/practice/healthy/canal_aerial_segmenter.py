"""Canals are found in aerial pictures, three pixels in a hundred, by a small net with skip connections.

family: segmentation
metric: intersection over union, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SIZE = 32


def aerial(rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    img = np.empty((3, SIZE, SIZE), np.float32)
    img[:] = np.array([0.4, 0.5, 0.25], np.float32)[:, None, None]
    # fields
    for _ in range(4):
        a, b, c = rng.normal(size=3)
        side = a * (x - 16) + b * (y - 16) + 8 * c > 0
        img[:, side] += rng.uniform(-0.1, 0.1, 3).astype(np.float32)[:, None]
    # a road, grey, sometimes
    if rng.random() < 0.5:
        t = rng.uniform(0, np.pi)
        d = np.abs((x - 16) * np.cos(t) + (y - 16) * np.sin(t) - rng.uniform(-10, 10))
        img[:, d < 0.9] = 0.6
    # the canal, dark blue and gently bent
    t, bend, off = rng.uniform(0, np.pi), rng.uniform(-0.02, 0.02), rng.uniform(-12, 12)
    u = (x - 16) * np.cos(t) + (y - 16) * np.sin(t)
    v = -(x - 16) * np.sin(t) + (y - 16) * np.cos(t)
    mask = np.abs(u - off - bend * v * v) < rng.uniform(0.5, 0.9)
    img[:, mask] = np.array([0.25, 0.35, 0.45], np.float32)[:, None] + rng.uniform(-0.05, 0.05)
    img += rng.normal(0, 0.06, img.shape)
    return img, mask


def make(n, seed):
    rng = np.random.default_rng(seed)
    images, masks = zip(*(aerial(rng) for _ in range(n)), strict=True)
    x = torch.tensor(np.stack(images), dtype=torch.float32)
    return TensorDataset((x - 0.4) / 0.15, torch.tensor(np.stack(masks), dtype=torch.float32))


def double(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1),
        nn.BatchNorm2d(o),
        nn.ReLU(),
        nn.Conv2d(o, o, 3, padding=1),
        nn.BatchNorm2d(o),
        nn.ReLU(),
    )


class SmallUNet(nn.Module):
    def __init__(self, w=8):
        super().__init__()
        self.d1, self.d2, self.mid = double(3, w), double(w, 2 * w), double(2 * w, 2 * w)
        self.u2, self.u1 = double(4 * w, w), double(2 * w, w)
        self.out = nn.Conv2d(w, 1, 1)
        # begin at the share of canal pixels
        nn.init.constant_(self.out.bias, -3.5)

    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        m = self.mid(F.max_pool2d(b, 2))
        b = self.u2(torch.cat([F.interpolate(m, scale_factor=2), b], 1))
        a = self.u1(torch.cat([F.interpolate(b, scale_factor=2), a], 1))
        return self.out(a).squeeze(1)


def bce_dice(logits, target):
    p = logits.sigmoid()
    dice = 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + dice


@torch.no_grad()
def iou(net, loader):
    net.eval()
    inter = union = 0
    for x, m in loader:
        guess = net(x) > 0
        inter += (guess & (m > 0)).sum().item()
        union += (guess | (m > 0)).sum().item()
    return inter / max(union, 1)


if __name__ == "__main__":
    torch.manual_seed(17)
    train_loader = DataLoader(make(480, 0), batch_size=16, shuffle=True)
    test_loader = DataLoader(make(120, 1), batch_size=60)
    net = SmallUNet()
    opt = torch.optim.Adam(net.parameters(), lr=3e-3)
    sched = torch.optim.lr_scheduler.ExponentialLR(opt, gamma=0.85)
    for epoch in range(10):
        net.train()
        total = 0.0
        for x, m in train_loader:
            opt.zero_grad()
            loss = bce_dice(net(x), m)
            loss.backward()
            opt.step()
            total += loss.item()
        sched.step()
        print(f"epoch {epoch + 1}: loss {total / len(train_loader):.4f}, IoU {iou(net, test_loader):.4f}")
    print(f"metric: {iou(net, test_loader):.4f}")
