"""Burnt area in two-band satellite tiles of grassland, by a small U-Net trained on overlap.

cause: wrong-loss-sign
family: cnn
metric: iou, higher
repair:
    - return dice.mean()
    + return 1 - dice.mean()
"""

import numpy as np
import torch
import torch.nn as nn
from scipy.ndimage import gaussian_filter
from torch.utils.data import DataLoader, Dataset

TILE = 24


class BurnScars(Dataset):
    """Tiles of near infrared and short-wave infrared reflectance with the outline of the scar."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.tiles, self.masks = [], []
        for _ in range(n):
            field = gaussian_filter(rng.normal(size=(TILE, TILE)), rng.uniform(2.5, 4))
            mask = field > np.quantile(field, rng.uniform(0.55, 0.85))
            grass = gaussian_filter(rng.normal(size=(TILE, TILE)), 2) * 0.5
            nir = 0.42 + 0.08 * grass - 0.14 * mask + rng.normal(0, 0.05, mask.shape)
            swir = 0.24 - 0.05 * grass + 0.09 * mask + rng.normal(0, 0.05, mask.shape)
            # clouds' shadows darken both bands
            shade = 1 - 0.25 * (gaussian_filter(rng.normal(size=(TILE, TILE)), 5) > 0.05)
            self.tiles.append(np.stack([nir * shade, swir * shade]))
            self.masks.append(mask)
        self.tiles = (np.array(self.tiles, dtype=np.float32) - 0.3) / 0.12
        self.masks = np.array(self.masks, dtype=np.float32)[:, None]

    def __len__(self):
        return len(self.tiles)

    def __getitem__(self, index):
        return torch.from_numpy(self.tiles[index]), torch.from_numpy(self.masks[index])


def double_conv(in_channels, out_channels):
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down1 = double_conv(2, width)
        self.down2 = double_conv(width, 2 * width)
        self.bottom = double_conv(2 * width, 4 * width)
        self.up2 = double_conv(6 * width, 2 * width)
        self.up1 = double_conv(3 * width, width)
        self.last = nn.Conv2d(width, 1, 1)
        self.pool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, x):
        c1 = self.down1(x)
        c2 = self.down2(self.pool(c1))
        x = self.bottom(self.pool(c2))
        x = self.up2(torch.cat([self.upsample(x), c2], dim=1))
        x = self.up1(torch.cat([self.upsample(x), c1], dim=1))
        return self.last(x)


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, targets):
        probs = torch.sigmoid(logits).flatten(1)
        targets = targets.flatten(1)
        intersection = (probs * targets).sum(1)
        dice = (2 * intersection + self.smooth) / (probs.sum(1) + targets.sum(1) + self.smooth)
        return dice.mean()


def iou(model, loader):
    model.eval()
    inter = union = 0
    with torch.no_grad():
        for x, m in loader:
            p = model(x) > 0
            m = m > 0.5
            inter += (p & m).sum().item()
            union += (p | m).sum().item()
    return inter / union


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(BurnScars(800, 0), batch_size=16, shuffle=True)
    val_loader = DataLoader(BurnScars(150, 1), batch_size=50)
    model = UNet()
    criterion = DiceLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(6):
        model.train()
        epoch_loss = 0
        for images, masks in train_loader:
            preds = model(images)
            loss = criterion(preds, masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            epoch_loss += loss.item()
        score = iou(model, val_loader)
        print(f"Epoch {epoch + 1}: dice loss {epoch_loss / len(train_loader):.4f}, val IoU {score:.4f}")
    print(f"metric: {score:.4f}")
