"""Crops in aerial pictures, pixel by pixel, with dilated convolutions and the `poly` schedule.

cause: learning-rate-decayed-to-zero
family: cnn
metric: mean intersection over union, higher
repair:
    - poly = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=EPOCHS, power=0.9)
    + steps = EPOCHS * -(-len(train_set) // BATCH)
    + poly = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=steps, power=0.9)
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

CLASSES = 4
EPOCHS, BATCH = 9, 16


class Fields(Dataset):
    """Rectangles of stripes: meadow, and crops in rows of different direction and distance."""

    def __init__(self, n, seed, size=24):
        g = torch.Generator().manual_seed(seed)
        yy, xx = torch.meshgrid(torch.arange(size).float(), torch.arange(size).float(), indexing="ij")
        self.images, self.masks = [], []
        for _ in range(n):
            mask = torch.zeros(size, size, dtype=torch.long)
            image = 0.15 * torch.randn(size, size, generator=g)
            for _ in range(4):
                kind = int(torch.randint(1, CLASSES, (1,), generator=g))
                top, left = torch.randint(0, size - 8, (2,), generator=g).tolist()
                height, width = torch.randint(7, 13, (2,), generator=g).tolist()
                rows = torch.sin((yy if kind == 1 else xx if kind == 2 else xx + yy) * 1.8)
                window = (slice(top, top + height), slice(left, left + width))
                mask[window] = kind
                image[window] = (0.5 * rows + 0.3 * torch.randn(size, size, generator=g))[window]
            self.images.append(image[None])
            self.masks.append(mask)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.masks[i]


def block(inputs, outputs, dilation):
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def mean_iou(model, loader):
    model.eval()
    matrix = torch.zeros(CLASSES, CLASSES)
    with torch.no_grad():
        for images, masks in loader:
            pairs = masks * CLASSES + model(images).argmax(1)
            matrix += torch.bincount(pairs.flatten(), minlength=CLASSES**2).view(CLASSES, CLASSES)
    both = matrix.diag()
    return (both / (matrix.sum(0) + matrix.sum(1) - both)).mean().item()


def main():
    torch.manual_seed(41)
    train_set = Fields(320, seed=1)
    train_loader = DataLoader(train_set, batch_size=BATCH, shuffle=True)
    test_loader = DataLoader(Fields(80, seed=2), batch_size=40)
    model = nn.Sequential(
        block(1, 16, 1), block(16, 16, 2), block(16, 16, 4), block(16, 16, 1), nn.Conv2d(16, CLASSES, 1)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    poly = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=EPOCHS, power=0.9)
    for epoch in range(EPOCHS):
        model.train()
        losses = []
        for images, masks in train_loader:
            loss = F.cross_entropy(model(images), masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            poly.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}, iou {mean_iou(model, test_loader):.4f}")
    print(f"metric: {mean_iou(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
