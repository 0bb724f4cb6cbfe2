"""Thin blood vessels in drawn pictures, about six pixels in a hundred, by a small U-Net with Dice loss.

family: segmentation
metric: Dice coefficient, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SIDE = 32


class Vessels(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.items = [self.draw(rng) for _ in range(n)]

    @staticmethod
    def draw(rng):
        mask = np.zeros((SIDE, SIDE), np.float32)
        for _ in range(rng.integers(1, 4)):
            p, heading = rng.uniform(4, SIDE - 4, 2), rng.uniform(0, 2 * np.pi)
            for _ in range(40):
                p = p + 0.7 * np.array([np.sin(heading), np.cos(heading)])
                heading += 0.15 * rng.standard_normal()
                r, c = np.round(p).astype(int)
                if not (0 <= r < SIDE and 0 <= c < SIDE):
                    break
                mask[r, c] = 1
        shade = np.add.outer(
            np.linspace(0, rng.uniform(-1, 1), SIDE), np.linspace(0, rng.uniform(-1, 1), SIDE)
        )
        picture = shade - 0.9 * mask + 0.25 * rng.standard_normal((SIDE, SIDE))
        return torch.tensor(picture, dtype=torch.float32)[None], torch.tensor(mask)[None]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def double(a, b):
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2 = double(1, 8), double(8, 16)
        self.bottom = double(16, 16)
        self.up2, self.up1 = double(32, 8), double(16, 8)
        self.out = nn.Conv2d(8, 1, 1)
        nn.init.constant_(self.out.bias, -2.5)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        c = self.bottom(F.max_pool2d(b, 2))
        b = self.up2(torch.cat([b, F.interpolate(c, scale_factor=2)], 1))
        a = self.up1(torch.cat([a, F.interpolate(b, scale_factor=2)], 1))
        return self.out(a)


def dice(p, mask, smooth=1.0):
    return (
        (2 * (p * mask).sum((1, 2, 3)) + smooth) / (p.sum((1, 2, 3)) + mask.sum((1, 2, 3)) + smooth)
    ).mean()


torch.manual_seed(0)
loader = DataLoader(Vessels(320, 0), batch_size=16, shuffle=True)
test = DataLoader(Vessels(100, 1), batch_size=100)
model = UNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, epochs=9, steps_per_epoch=len(loader))
for epoch in range(9):
    model.train()
    for picture, mask in loader:
        logits = model(picture)
        loss = 1 - dice(logits.sigmoid(), mask) + F.binary_cross_entropy_with_logits(logits, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    model.eval()
    with torch.no_grad():
        picture, mask = next(iter(test))
        quality = dice((model(picture) > 0).float(), mask).item()
    print(f"epoch {epoch}  loss {loss.item():.3f}  dice {quality:.3f}")
print("metric:", quality)
