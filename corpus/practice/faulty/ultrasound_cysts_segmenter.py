"""Outlines of cysts in speckled ultrasound pictures; an encoder and decoder with batch normalisation.

cause: batch-too-small
family: cnn
metric: intersection over union, higher
repair:
    - BATCH_SIZE = 1
    + BATCH_SIZE = 16
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

BATCH_SIZE = 1
LR = 5e-3
EPOCHS = 5


class CystDataset(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        yy, xx = np.mgrid[0:24, 0:24]
        self.images, self.masks = [], []
        for _ in range(n):
            mask = np.zeros((24, 24), dtype=bool)
            for _ in range(rng.integers(0, 4)):
                cy, cx = rng.uniform(3, 21, 2)
                a, b = rng.uniform(1.5, 5, 2)
                t = rng.uniform(0, np.pi)
                u = (yy - cy) * np.cos(t) + (xx - cx) * np.sin(t)
                v = (xx - cx) * np.cos(t) - (yy - cy) * np.sin(t)
                mask |= (u / a) ** 2 + (v / b) ** 2 < 1
            gain = rng.uniform(0.3, 1.8)
            tissue = gain * np.where(mask, 0.45, 1.0) * rng.gamma(4, 0.25, (24, 24))
            shade = np.exp(-rng.uniform(0, 0.05) * yy)
            self.images.append(np.log1p(tissue * shade))
            self.masks.append(mask)
        self.images = torch.tensor(np.array(self.images), dtype=torch.float32).unsqueeze(1)
        self.masks = torch.tensor(np.array(self.masks), dtype=torch.float32).unsqueeze(1)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i], self.masks[i]


def conv_bn_relu(cin, cout, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(True))


class SmallUNet(nn.Module):
    def __init__(self, width=10):
        super().__init__()
        self.enc1 = conv_bn_relu(1, width)
        self.enc2 = conv_bn_relu(width, 2 * width, stride=2)
        self.mid = conv_bn_relu(2 * width, 4 * width, stride=2)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.dec2 = conv_bn_relu(6 * width, 2 * width)
        self.dec1 = conv_bn_relu(3 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        e1 = self.enc1(x)
        e2 = self.enc2(e1)
        m = self.mid(e2)
        d2 = self.dec2(torch.cat([self.up(m), e2], 1))
        d1 = self.dec1(torch.cat([self.up(d2), e1], 1))
        return self.out(d1)


def main():
    torch.manual_seed(14)
    train_loader = DataLoader(CystDataset(320, 14), batch_size=BATCH_SIZE, shuffle=True)
    test_set = CystDataset(200, 15)
    model = SmallUNet()
    bce = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for epoch in range(EPOCHS):
        model.train()
        losses = []
        for image, mask in train_loader:
            optimizer.zero_grad()
            loss = bce(model(image), mask)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            pred = model(test_set.images) > 0
        truth = test_set.masks > 0.5
        iou = ((pred & truth).sum() / (pred | truth).sum()).item()
        print(f"Epoch {epoch + 1}: train loss {np.mean(losses):.4f}, test IoU {iou:.4f}")
    print(f"metric: {iou:.4f}")


if __name__ == "__main__":
    main()
