"""Cells of a blood smear are sorted into four kinds by a residual network.

cause: exploding-gradients
also: poor-initial-values
family: cnn
metric: accuracy, higher
repair:
    - self.conv1 = nn.Conv2d(width, width, 3, padding=1)
    - self.conv2 = nn.Conv2d(width, width, 3, padding=1)
    + self.conv1 = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
    + self.conv2 = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        return x + self.conv2(self.act(self.conv1(self.act(x))))


class SmearNet(nn.Module):
    def __init__(self, blocks=(5, 6), width=12, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.stage1 = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks[0])])
        self.down = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.stage2 = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks[1])])
        self.head = nn.Linear(width, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)

    def forward(self, x):
        x = self.stage1(self.stem(x))
        x = self.stage2(self.down(x))
        return self.head(torch.relu(x).mean((2, 3)))


def smear(n, rng, size=24):
    """Lymphocyte (one large nucleus), neutrophil (lobes), eosinophil (lobes, red grains), red cell (none)."""
    y, x = np.mgrid[0:size, 0:size]
    images = np.empty((n, 3, size, size), np.float32)
    kinds = rng.integers(0, 4, n)
    for image, kind in zip(images, kinds, strict=True):
        r, c = rng.uniform(9, 14, 2)
        cell = np.hypot(y - r, x - c) < rng.uniform(7, 9)
        colour = np.array([0.9, 0.6, 0.65]) if kind == 3 else np.array([0.85, 0.8, 0.9])
        image[:] = 0.95
        image[:, cell] = colour[:, None]
        lobes = {0: 1, 1: 3, 2: 2, 3: 0}[kind]
        for _ in range(lobes):
            dr, dc = rng.uniform(-3.5, 3.5, 2) if lobes > 1 else (0, 0)
            nucleus = np.hypot(y - r - dr, x - c - dc) < (2.2 if lobes > 1 else 5)
            image[:, nucleus] = np.array([0.45, 0.3, 0.65])[:, None]
        if kind == 2:
            grains = cell & (rng.random((size, size)) < 0.15)
            image[:, grains] = np.array([0.9, 0.35, 0.3])[:, None]
        image += rng.normal(0, 0.06, image.shape)
    return TensorDataset(torch.from_numpy((images - 0.8) / 0.2), torch.from_numpy(kinds))


def run_epoch(model, loader, criterion, optimizer=None):
    model.train(optimizer is not None)
    total_loss = correct = count = 0
    with torch.set_grad_enabled(optimizer is not None):
        for images, kinds in loader:
            logits = model(images)
            loss = criterion(logits, kinds)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total_loss += loss.item() * len(kinds)
            correct += (logits.argmax(1) == kinds).sum().item()
            count += len(kinds)
    return total_loss / count, correct / count


if __name__ == "__main__":
    torch.manual_seed(4)
    rng = np.random.default_rng(4)
    train_loader = DataLoader(smear(1600, rng), batch_size=32, shuffle=True)
    val_loader = DataLoader(smear(500, rng), batch_size=100)
    model, criterion = SmearNet(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(6):
        train_loss, train_acc = run_epoch(model, train_loader, criterion, optimizer)
        val_loss, val_acc = run_epoch(model, val_loader, criterion)
        print(f"{epoch}: train {train_loss:.4f} ({train_acc:.3f}) val {val_loss:.4f} ({val_acc:.3f})")
    print(f"metric: {val_acc:.4f}")
