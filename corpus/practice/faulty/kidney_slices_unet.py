"""Kidneys outlined on slices of a scan, by a small U-shaped network.

cause: batch-too-small
family: segmentation
metric: dice, higher
repair:
    - train_loader = DataLoader(SliceDataset(420, seed=0), batch_size=1, shuffle=True)
    + train_loader = DataLoader(SliceDataset(420, seed=0), batch_size=8, shuffle=True)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SIZE = 32


def make_slice(rng):
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    body = ((x - 16) / 15) ** 2 + ((y - 16) / 12) ** 2 < 1
    image = np.where(body, rng.uniform(0.35, 0.55), 0.05)
    spine = np.hypot(x - 16, y - 23) < 2.5
    image[spine] = 0.9
    mask = np.zeros((SIZE, SIZE), bool)
    for side in (-1, 1):
        if rng.random() < 0.25:
            continue
        cx, cy, turn = 16 + side * rng.uniform(7, 9), rng.uniform(17, 21), side * rng.uniform(0.2, 0.9)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        mask |= (u / rng.uniform(1.8, 2.8)) ** 2 + (v / rng.uniform(3, 4.2)) ** 2 < 1
    image[mask] += rng.uniform(0.1, 0.22)
    for _ in range(rng.integers(2, 6)):  # bowel
        cx, cy, r = rng.uniform(7, 25), rng.uniform(7, 14), rng.uniform(1.2, 2.6)
        image += rng.uniform(-0.2, 0.22) * (np.hypot(x - cx, y - cy) < r)
    image = image * rng.uniform(0.7, 1.3) + rng.normal(0, 0.06, image.shape)
    return image, mask


class SliceDataset(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        images, masks = zip(*(make_slice(rng) for _ in range(n)), strict=True)
        self.images = torch.tensor((np.stack(images) - 0.4) / 0.25, dtype=torch.float32).unsqueeze(1)
        self.masks = torch.tensor(np.stack(masks), dtype=torch.float32).unsqueeze(1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.masks[i]


class DoubleConv(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.block(x)


class UNet(nn.Module):
    def __init__(self, base=8):
        super().__init__()
        self.down1 = DoubleConv(1, base)
        self.down2 = DoubleConv(base, 2 * base)
        self.bottom = DoubleConv(2 * base, 4 * base)
        self.up2 = DoubleConv(6 * base, 2 * base)
        self.up1 = DoubleConv(3 * base, base)
        self.out = nn.Conv2d(base, 1, 1)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        b = self.up2(torch.cat([b, self.upsample(c)], 1))
        a = self.up1(torch.cat([a, self.upsample(b)], 1))
        return self.out(a)


def dice(model, data):
    model.eval()
    with torch.no_grad():
        found = (model(data.images) > 0).float()
    return (2 * (found * data.masks).sum() / (found.sum() + data.masks.sum())).item()


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(SliceDataset(420, seed=0), batch_size=1, shuffle=True)
    val_data = SliceDataset(120, seed=1)
    model = UNet()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(4):
        model.train()
        losses = []
        for image, mask in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(image), mask)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        score = dice(model, val_data)
        print(f"Epoch {epoch + 1}: loss {np.mean(losses):.4f}, validation dice {score:.4f}")
    print(f"metric: {score:.4f}")
