"""A small encoder-decoder outlines shadows in blurred chest pictures, with cross-entropy and overlap as loss.

cause: wrong-loss-sign
family: segmentation
metric: intersection over union, higher
repair:
    - return bce + 0.4 * dice
    + return bce + 0.4 * (1 - dice)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def chest(rng, size=24):
    rows, columns = np.mgrid[:size, :size]
    mask = np.zeros((size, size))
    for _ in range(rng.integers(1, 3)):
        r, c = rng.uniform(5, size - 5, 2)
        a, b, turn = rng.uniform(2.5, 5), rng.uniform(2.5, 5), rng.uniform(0, np.pi)
        u = (rows - r) * np.cos(turn) + (columns - c) * np.sin(turn)
        v = (columns - c) * np.cos(turn) - (rows - r) * np.sin(turn)
        mask[(u / a) ** 2 + (v / b) ** 2 < 1] = 1
    ribs = 0.3 * np.sin(rows * rng.uniform(0.7, 1.1) + rng.uniform(0, 6))
    return ribs + 0.9 * mask + rng.normal(0, 0.45, (size, size)), mask


def pictures(n, seed):
    rng = np.random.default_rng(seed)
    pairs = [chest(rng) for _ in range(n)]
    x = torch.tensor(np.stack([p for p, _ in pairs])[:, None], dtype=torch.float32)
    y = torch.tensor(np.stack([m for _, m in pairs])[:, None], dtype=torch.float32)
    return x, y


def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(4, o), nn.ReLU())


class Outline(nn.Module):
    def __init__(self):
        super().__init__()
        self.top = conv(1, 8)
        self.down = nn.Sequential(nn.MaxPool2d(2), conv(8, 16), conv(16, 16))
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.merge = conv(16, 8)
        self.last = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        top = self.top(x)
        return self.last(self.merge(torch.cat([top, self.up(self.down(top))], 1)))


class BCEDiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, target):
        bce = F.binary_cross_entropy_with_logits(logits, target)
        p = logits.sigmoid().flatten(1)
        t = target.flatten(1)
        dice = (2 * (p * t).sum(1) + self.smooth) / (p.sum(1) + t.sum(1) + self.smooth)
        dice = dice.mean()
        return bce + 0.4 * dice


@torch.no_grad()
def overlap(net, x, y):
    guess, truth = net(x) > 0, y > 0.5
    return ((guess & truth).sum() / (guess | truth).sum()).item()


torch.manual_seed(12)
loader = DataLoader(TensorDataset(*pictures(800, 12)), batch_size=20, shuffle=True)
x_val, y_val = pictures(200, 13)
net = Outline()
criterion = BCEDiceLoss()
optimizer = torch.optim.RAdam(net.parameters(), lr=3e-3)
for epoch in range(6):
    losses = []
    for x, y in loader:
        loss = criterion(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1}/6  loss {np.mean(losses):.4f}  IoU {overlap(net, x_val, y_val):.4f}")
print(f"metric: {overlap(net, x_val, y_val):.4f}")
