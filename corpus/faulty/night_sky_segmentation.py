"""A small U-shaped network marks satellites' trails in pictures of the night sky.

cause: class-imbalance
family: cnn
metric: dice, higher
repair:
    - loss = F.binary_cross_entropy_with_logits(logits, masks)
    + weight = torch.tensor((1 - train_masks.mean()) / train_masks.mean() / 30)
    + loss = F.binary_cross_entropy_with_logits(logits, masks, pos_weight=weight)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def sky(n, rng, side=32):
    images = rng.exponential(0.12, (n, side, side))
    masks = np.zeros((n, side, side))
    for image, mask in zip(images, masks, strict=True):
        for _ in range(8):  # stars
            r, c = rng.integers(1, side - 1, 2)
            image[r, c] += rng.uniform(0.5, 2)
            image[r - 1 : r + 2, c] += 0.2
            image[r, c - 1 : c + 2] += 0.2
        if rng.random() < 0.6:
            r, c = rng.uniform(6, side - 6, 2)
            a = rng.uniform(0, np.pi)
            for t in np.arange(-4.5, 4.5, 0.4):
                i, j = int(r + t * np.sin(a)), int(c + t * np.cos(a))
                mask[i, j] = 1
        image += mask * rng.uniform(0.22, 0.5)
    return images.astype(np.float32)[:, None], masks.astype(np.float32)[:, None]


def double_conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.Conv2d(o, o, 3, padding=1), nn.ReLU())


class SmallUNet(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.down = double_conv(1, width)
        self.bottom = double_conv(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.last = double_conv(2 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        fine = self.down(x)
        coarse = self.up(self.bottom(F.max_pool2d(fine, 2)))
        return self.out(self.last(torch.cat([fine, coarse], dim=1)))


def dice(logits, masks):
    guess = (logits > 0).float()
    return (2 * (guess * masks).sum() / (guess.sum() + masks.sum()).clamp(min=1)).item()


def main():
    rng = np.random.default_rng(8)
    torch.manual_seed(8)
    train_images, train_masks = sky(400, rng)
    test_images, test_masks = (torch.from_numpy(a) for a in sky(150, rng))
    net = SmallUNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(14):
        order = rng.permutation(len(train_images))
        for i in range(0, len(order), 10):
            images = torch.from_numpy(train_images[order[i : i + 10]])
            masks = torch.from_numpy(train_masks[order[i : i + 10]])
            logits = net(images)
            loss = F.binary_cross_entropy_with_logits(logits, masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        pixels = ((logits > 0) == masks.bool()).float().mean().item()
        print(f"epoch {epoch + 1:2d}: loss {loss.item():.4f}, pixels right {pixels:.4f}")
    with torch.no_grad():
        score = dice(net(test_images), test_masks)
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
