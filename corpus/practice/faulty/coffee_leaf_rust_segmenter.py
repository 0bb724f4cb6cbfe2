"""Leaf, rust, miner's trace or ground: a label for each pixel of a coffee leaf's picture.

cause: softmax-before-cross-entropy
family: segmentation
metric: mean IoU, higher
repair:
    - self.activation = nn.Softmax2d()
    + self.activation = nn.Identity()
"""

import numpy as np
import torch
from torch import nn

CLASSES = 4


def leaf_picture(rng, size=32):
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    angle = rng.uniform(0, np.pi)
    u = np.cos(angle) * x + np.sin(angle) * y
    v = -np.sin(angle) * x + np.cos(angle) * y
    mask = np.zeros((size, size), dtype=np.int64)
    leaf = (u / 0.48) ** 2 + (v / rng.uniform(0.24, 0.34)) ** 2 < 1
    mask[leaf] = 1
    for _ in range(rng.integers(1, 4)):
        cx, cy = rng.uniform(-0.25, 0.25, 2)
        mask[leaf & ((x - cx) ** 2 + (y - cy) ** 2 < rng.uniform(0.05, 0.09) ** 2)] = 2
    if rng.random() < 0.6:
        phase, offset = rng.uniform(0, 6.3), rng.uniform(-0.1, 0.1)
        mask[leaf & (np.abs(v - offset - 0.06 * np.sin(14 * u + phase)) < 0.03)] = 3
    colours = np.array([[0.45, 0.35, 0.25], [0.2, 0.5, 0.2], [0.6, 0.4, 0.15], [0.5, 0.55, 0.4]])
    image = colours[mask] * rng.uniform(0.7, 1.3) + rng.normal(0, 0.09, (size, size, 3))
    return image.transpose(2, 0, 1), mask


def pictures(n, seed):
    rng = np.random.default_rng(seed)
    images, masks = zip(*(leaf_picture(rng) for _ in range(n)), strict=True)
    return torch.tensor((np.stack(images) - 0.4) / 0.2, dtype=torch.float32), torch.from_numpy(
        np.stack(masks)
    )


def double_conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(c_out, c_out, 3, padding=1),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )


class SmallUNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down1 = double_conv(3, width)
        self.down2 = double_conv(width, 2 * width)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.merge = double_conv(2 * width, width)
        self.final = nn.Conv2d(width, CLASSES, 1)
        self.activation = nn.Softmax2d()

    def forward(self, x):
        skip = self.down1(x)
        deep = self.down2(self.pool(skip))
        x = self.merge(torch.cat([skip, self.up(deep)], dim=1))
        return self.activation(self.final(x))


def mean_iou(model, images, masks):
    model.eval()
    with torch.no_grad():
        predicted = model(images).argmax(1)
    scores = []
    for k in range(CLASSES):
        both = ((predicted == k) & (masks == k)).sum().item()
        either = ((predicted == k) | (masks == k)).sum().item()
        scores.append(both / either)
    return sum(scores) / CLASSES


if __name__ == "__main__":
    torch.manual_seed(27)
    images, masks = pictures(600, 270)
    test_images, test_masks = pictures(120, 271)
    model = SmallUNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    for epoch in range(10):
        model.train()
        order = torch.randperm(len(images))
        total = 0.0
        for batch in order.split(20):
            optimizer.zero_grad()
            loss = criterion(model(images[batch]), masks[batch])
            loss.backward()
            optimizer.step()
            total += loss.item()
        iou = mean_iou(model, test_images, test_masks)
        print(f"Epoch {epoch + 1}: train loss {total / 30:.4f}, mIoU {iou:.4f}")
    print(f"metric: {iou:.4f}")
