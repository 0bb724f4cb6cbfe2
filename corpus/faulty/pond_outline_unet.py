"""A small U-Net that outlines ponds in generated aerial pictures.

cause: learning-rate-too-high
family: segmentation
metric: intersection over union, higher
repair:
    - parser.add_argument("--lr", type=float, default=0.1)
    + parser.add_argument("--lr", type=float, default=0.002)
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Ponds(Dataset):
    """Wobbly dark blobs on grassy ground, with a few dark tracks that are not water."""

    def __init__(self, count, seed, size=24):
        rng = np.random.default_rng(seed)
        rows, cols = np.mgrid[:size, :size]
        self.items = []
        for _ in range(count):
            picture = rng.normal(0.55, 0.12, (size, size))
            mask = np.zeros((size, size))
            for _ in range(rng.integers(1, 3)):
                r, c = rng.uniform(5, size - 5, 2)
                angle = np.arctan2(rows - r, cols - c)
                edge = rng.uniform(3, 6) * (1 + 0.25 * np.sin(3 * angle + rng.uniform(0, 6)))
                mask[np.hypot(rows - r, cols - c) < edge] = 1
            picture -= 0.25 * mask
            picture[rng.integers(size)] -= 0.25
            self.items.append((torch.tensor(picture[None]).float(), torch.tensor(mask[None]).float()))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def double(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(), nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU()
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.enc1, self.enc2 = double(1, width), double(width, 2 * width)
        self.mid = double(2 * width, 4 * width)
        self.up2, self.up1 = (
            nn.ConvTranspose2d(4 * width, 2 * width, 2, 2),
            nn.ConvTranspose2d(2 * width, width, 2, 2),
        )
        self.dec2, self.dec1 = double(4 * width, 2 * width), double(2 * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        a = self.enc1(x)
        b = self.enc2(F.max_pool2d(a, 2))
        c = self.mid(F.max_pool2d(b, 2))
        d = self.dec2(torch.cat([self.up2(c), b], 1))
        return self.head(self.dec1(torch.cat([self.up1(d), a], 1)))


def iou(model, loader):
    model.eval()
    both = either = 0
    with torch.no_grad():
        for x, m in loader:
            p = model(x) > 0
            both += (p & (m > 0)).sum().item()
            either += (p | (m > 0)).sum().item()
    return both / either


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    torch.manual_seed(3)
    train = DataLoader(Ponds(400, 1), batch_size=16, shuffle=True)
    valid = DataLoader(Ponds(100, 2), batch_size=50)
    net = UNet()
    opt = torch.optim.AdamW(net.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        net.train()
        total = 0.0
        for x, mask in train:
            opt.zero_grad(set_to_none=True)
            loss = F.binary_cross_entropy_with_logits(net(x), mask)
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(train):.4f}, val IoU {iou(net, valid):.3f}")
    print(f"metric: {iou(net, valid):.4f}")


if __name__ == "__main__":
    main()
