"""A small convolutional net tells four leaf diseases from pictures, with augmentation and dropout.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SIZE = 28
NAMES = ["sound", "rust", "mildew", "scab"]


def draw_leaf(rng, kind):
    yy, xx = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    tilt = rng.uniform(0, np.pi)
    u = xx * np.cos(tilt) + yy * np.sin(tilt)
    v = -xx * np.sin(tilt) + yy * np.cos(tilt)
    leaf = (u / 0.9) ** 2 + (v / rng.uniform(0.45, 0.65)) ** 2 < 1
    img = np.full((3, SIZE, SIZE), 0.55) + rng.uniform(-0.15, 0.15)
    green = np.array([0.25, 0.55, 0.2]) + rng.uniform(-0.08, 0.08, 3)
    img[:, leaf] = green[:, None]
    img[:, leaf & (np.abs(v) < 0.05)] += 0.1
    if kind == 1:  # many small orange dots
        for _ in range(rng.integers(5, 13)):
            a, b = rng.uniform(-0.7, 0.7), rng.uniform(-0.4, 0.4)
            dot = (u - a) ** 2 + (v - b) ** 2 < 0.008
            img[:, dot & leaf] = np.array([0.7, 0.4, 0.1])[:, None]
    elif kind == 2:  # whitish veil
        veil = np.exp(-((u - rng.uniform(-0.4, 0.4)) ** 2 + v**2) / 0.15) * rng.uniform(0.25, 0.5)
        img += veil * leaf
    elif kind == 3:  # few dark blotches
        for _ in range(rng.integers(1, 4)):
            a, b = rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.3)
            blotch = (u - a) ** 2 + (v - b) ** 2 < rng.uniform(0.02, 0.06)
            img[:, blotch & leaf] *= 0.45
    img += rng.normal(0, 0.07, img.shape)
    return img.astype(np.float32)


class Leaves(Dataset):
    def __init__(self, n, seed, augment=False):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 4, n)
        self.images = torch.from_numpy(np.stack([draw_leaf(rng, k) for k in self.labels]))
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        img = self.images[i]
        if self.augment:
            if torch.rand(()) < 0.5:
                img = img.flip(2)
            img = torch.rot90(img, int(torch.randint(4, ())), (1, 2))
            img = img * (0.8 + 0.4 * torch.rand(3, 1, 1))
            r, c = torch.randint(0, SIZE - 8, (2,)).tolist()
            img = img.clone()
            img[:, r : r + 8, c : c + 8] = 0.5
        return (img - 0.45) / 0.2, int(self.labels[i])


class LeafNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc1 = nn.Linear(32 * 9, 64)
        self.fc2 = nn.Linear(64, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.max_pool2d(F.relu(self.conv3(x)), 2)
        x = self.drop(x.flatten(1))
        return self.fc2(self.drop(F.relu(self.fc1(x))))


def main():
    torch.manual_seed(31)
    train_loader = DataLoader(Leaves(1200, 1, augment=True), batch_size=40, shuffle=True)
    val_loader = DataLoader(Leaves(400, 2), batch_size=200)
    test_loader = DataLoader(Leaves(400, 3), batch_size=200)
    net = LeafNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4, nesterov=True)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[8, 11], gamma=0.2)

    def accuracy(loader):
        net.eval()
        with torch.no_grad():
            hits = [(net(x).argmax(1) == y).float() for x, y in loader]
        return torch.cat(hits).mean().item()

    for epoch in range(12):
        net.train()
        running = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        print(f"[{epoch + 1:2d}] loss {running / len(train_loader):.3f}  val acc {accuracy(val_loader):.3f}")
    print(f"metric: {accuracy(test_loader):.4f}")


if __name__ == "__main__":
    main()
