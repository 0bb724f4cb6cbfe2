"""Outlines of circles, squares, triangles and crosses; shifted, turned and noisy as they are learned.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def outline(kind, size, angle):
    v, u = np.mgrid[-1:1:20j, -1:1:20j]
    p = np.cos(angle) * u + np.sin(angle) * v
    q = -np.sin(angle) * u + np.cos(angle) * v
    if kind == 0:
        inside = np.hypot(p, q)
    elif kind == 1:
        inside = np.maximum(np.abs(p), np.abs(q)) * 1.1
    elif kind == 2:
        inside = np.maximum.reduce([q, 0.87 * p - 0.5 * q, -0.87 * p - 0.5 * q]) * 1.6
    else:
        return (np.minimum(np.abs(p), np.abs(q)) < 0.1) & (np.maximum(np.abs(p), np.abs(q)) < size)
    return np.abs(inside - size) < 0.12


class Shapes(Dataset):
    def __init__(self, count, seed, augment):
        rng = np.random.default_rng(seed)
        self.kind = rng.integers(0, 4, count)
        drawn = [outline(k, rng.uniform(0.45, 0.75), rng.uniform(0, 2 * np.pi)) for k in self.kind]
        self.images = torch.tensor(np.stack(drawn), dtype=torch.float32).unsqueeze(1)
        if not augment:
            self.images += 0.25 * torch.tensor(rng.normal(size=self.images.shape), dtype=torch.float32)
        self.augment = augment

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, i):
        image = self.images[i]
        if self.augment:
            shift = torch.randint(-2, 3, (2,)).tolist()
            image = torch.rot90(image.roll(shift, (1, 2)), torch.randint(0, 4, ()).item(), (1, 2))
            if torch.rand(()) < 0.5:
                image = image.flip(2)
            image = image + 0.25 * torch.randn_like(image)
        return image - 0.2, int(self.kind[i])


if __name__ == "__main__":
    torch.manual_seed(71)
    train = DataLoader(Shapes(800, 1, augment=True), batch_size=40, shuffle=True)
    test = DataLoader(Shapes(500, 2, augment=False), batch_size=250)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, stride=2, padding=2),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 48, 3, padding=1),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(48, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 14, gamma=0.25)
    for epoch in range(20):
        model.train()
        for image, kind in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(image), kind)
            loss.backward()
            optimizer.step()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            right = sum((model(image).argmax(1) == kind).sum().item() for image, kind in test)
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: loss {loss.item():.3f}, {right} of 500 right")
    print(f"metric: {right / 500:.4f}")
