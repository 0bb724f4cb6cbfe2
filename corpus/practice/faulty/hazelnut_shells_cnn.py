"""Grades of hazelnuts on a conveyor (whole, cracked, mouldy, empty) from little grey pictures.

cause: learning-rate-too-low
family: cnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    + optimizer = torch.optim.SGD(net.parameters(), lr=2e-2, momentum=0.9)
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 24
GRADES = ("whole", "cracked", "mouldy", "empty")


def draw_nut(grade, rng):
    yy, xx = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    cx, cy = rng.uniform(10, 14, 2)
    r = rng.uniform(6.5, 9)
    d = np.hypot((xx - cx) * rng.uniform(0.9, 1.1), yy - cy)
    img = np.where(d < r, 0.55 + 0.25 * np.sqrt(np.clip(1 - (d / r) ** 2, 0, 1)), 0.12)
    if grade == 1:
        a = rng.uniform(0, np.pi)
        line = np.abs((xx - cx) * np.sin(a) - (yy - cy) * np.cos(a) + 0.8 * np.sin(0.9 * xx))
        img = np.where((line < 0.8) & (d < r), img - 0.35, img)
    elif grade == 2:
        for _ in range(rng.integers(3, 7)):
            px, py = cx + rng.normal(0, r / 2.5), cy + rng.normal(0, r / 2.5)
            img = img - 0.3 * np.exp(-((xx - px) ** 2 + (yy - py) ** 2) / 2.2) * (d < r)
    elif grade == 3:
        img = np.where(d < r * 0.62, img - 0.28, img)
    return img * rng.uniform(0.85, 1.15) + rng.normal(0, 0.07, img.shape)


def conveyor(count, seed):
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, 4, count)
    images = np.stack([draw_nut(g, rng) for g in grades]).astype(np.float32)
    return TensorDataset(torch.from_numpy((images - 0.35) / 0.25).unsqueeze(1), torch.from_numpy(grades))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 6 * 6, 64)
        self.fc2 = nn.Linear(64, len(GRADES))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def accuracy(net, loader):
    net.eval()
    with torch.no_grad():
        hits = sum((net(x).argmax(1) == y).sum().item() for x, y in loader)
    net.train()
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(40)
    train_loader = DataLoader(conveyor(2000, 0), batch_size=32, shuffle=True)
    test_loader = DataLoader(conveyor(500, 1), batch_size=250)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    for epoch in range(12):
        running = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(
            f"[{epoch + 1:2d}] loss {running / len(train_loader):.3f} test {accuracy(net, test_loader):.3f}"
        )
    print(f"metric: {accuracy(net, test_loader):.4f}")


if __name__ == "__main__":
    main()
