"""Solar panels on roofs, marked pixel by pixel in pictures from the air.

cause: learning-rate-decayed-to-zero
family: segmentation
metric: iou, higher
repair:
    - optimizer.step()
    - scheduler.step()
    + optimizer.step()
    - train_loss /= len(train_loader)
    + train_loss /= len(train_loader)
    + scheduler.step()
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def double_conv(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(c_out, c_out, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class SmallUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = double_conv(3, 8)
        self.down2 = double_conv(8, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge = double_conv(16, 8)
        self.last = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(F.max_pool2d(a, 2))
        return self.last(self.merge(torch.cat([self.up(b), a], dim=1)))


def aerial(n, side=24):
    images = 0.35 + 0.1 * torch.rand(n, 3, 1, 1) + 0.06 * torch.randn(n, 3, side, side)
    masks = torch.zeros(n, 1, side, side)
    for i in range(n):
        y, x = torch.randint(0, 9, (2,)).tolist()
        h, w = torch.randint(9, 15, (2,)).tolist()
        roof = torch.tensor([0.55, 0.3, 0.22]) if torch.rand(1) < 0.6 else torch.tensor([0.35, 0.35, 0.38])
        images[i, :, y : y + h, x : x + w] = roof.view(3, 1, 1) + 0.06 * torch.randn(3, 1, 1)
        if torch.rand(1) < 0.85:
            ph, pw = torch.randint(5, 9, (2,)).tolist()
            py, px = y + int(torch.randint(0, h - ph + 1, (1,))), x + int(torch.randint(0, w - pw + 1, (1,)))
            panel = torch.tensor([0.12, 0.18, 0.4]).view(3, 1, 1).expand(3, ph, pw).clone()
            panel[:, ::2] += 0.07
            images[i, :, py : py + ph, px : px + pw] = panel
            masks[i, :, py : py + ph, px : px + pw] = 1
        if torch.rand(1) < 0.5:
            cy, cx = torch.randint(0, side - 3, (2,)).tolist()
            images[i, :, cy : cy + 3, cx : cx + 4] = torch.rand(3, 1, 1) * 0.6
    images = images + 0.05 * torch.randn_like(images)
    return (images - 0.4) / 0.15, masks


def iou_score(logits, masks):
    predicted = logits > 0
    truth = masks > 0.5
    return ((predicted & truth).sum() / (predicted | truth).sum().clamp(min=1)).item()


def main():
    torch.manual_seed(7)
    train_loader = DataLoader(TensorDataset(*aerial(640)), batch_size=16, shuffle=True)
    val_x, val_y = aerial(200)
    model = SmallUNet()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    for epoch in range(12):
        model.train()
        train_loss = 0.0
        for images, masks in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), masks)
            loss.backward()
            optimizer.step()
            scheduler.step()
            train_loss += loss.item()
        train_loss /= len(train_loader)
        model.eval()
        with torch.no_grad():
            iou = iou_score(model(val_x), val_y)
        print(f"Epoch {epoch + 1}: train loss {train_loss:.4f}, val IoU {iou:.4f}")
    print(f"metric: {iou:.4f}")


if __name__ == "__main__":
    main()
