"""A small U-net marks vines, paths and bare soil in pictures from the air; soil is rare and weighted.

family: unet
metric: mean intersection over union, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def aerial(rng, size=32):
    v, u = np.mgrid[0:size, 0:size].astype(float)
    angle = rng.uniform(-0.6, 0.6)
    across = (u * np.cos(angle) + v * np.sin(angle)) / rng.uniform(5, 7) + rng.uniform()
    vines = (across % 1) < rng.uniform(0.45, 0.6)
    mask = vines.astype(int)
    for _ in range(rng.integers(0, 4)):
        a, b, r = rng.uniform(2, size - 2), rng.uniform(2, size - 2), rng.uniform(2, 4.5)
        mask[(np.hypot(v - a, u - b) < r) & vines] = 2
    tone = np.array([[0.55, 0.5, 0.35], [0.25, 0.45, 0.2], [0.5, 0.42, 0.3]])[mask]
    shade = 1 + 0.2 * np.sin(v / size * 3 + rng.uniform(0, 6))
    picture = tone * shade[..., None] * rng.uniform(0.8, 1.2) + rng.normal(0, 0.07, tone.shape)
    return picture.transpose(2, 0, 1), mask


def fields(n, seed):
    rng = np.random.default_rng(seed)
    pictures, masks = zip(*(aerial(rng) for _ in range(n)), strict=True)
    return torch.tensor((np.stack(pictures) - 0.4) / 0.15, dtype=torch.float32), torch.tensor(np.stack(masks))


def double(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
        nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True),
    )  # fmt: skip


class UNet(nn.Module):
    def __init__(self, classes=3, w=8):
        super().__init__()
        self.down1, self.down2, self.bottom = double(3, w), double(w, 2 * w), double(2 * w, 4 * w)
        self.up2, self.up1 = nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), nn.ConvTranspose2d(2 * w, w, 2, 2)
        self.join2, self.join1 = double(4 * w, 2 * w), double(2 * w, w)
        self.out = nn.Conv2d(w, classes, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        b = self.join2(torch.cat([b, self.up2(c)], 1))
        return self.out(self.join1(torch.cat([a, self.up1(b)], 1)))


def mean_iou(guess, mask):
    scores = []
    for k in range(3):
        both = ((guess == k) & (mask == k)).sum()
        either = ((guess == k) | (mask == k)).sum()
        scores.append((both / either).item())
    return sum(scores) / 3


if __name__ == "__main__":
    torch.manual_seed(5)
    loader = DataLoader(TensorDataset(*fields(320, 1)), batch_size=16, shuffle=True)
    x_test, mask_test = fields(100, 2)
    net = UNet()
    criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 1.0, 3.0]))
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.5e-2, epochs=8, steps_per_epoch=len(loader)
    )
    for epoch in range(8):
        net.train()
        total = 0.0
        for x, mask in loader:
            optimizer.zero_grad()
            loss = criterion(net(x), mask)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        net.eval()
        with torch.no_grad():
            iou = mean_iou(net(x_test).argmax(1), mask_test)
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, mean IoU {iou:.4f}")
    print(f"metric: {iou:.4f}")
