"""Thin sections of five rocks under the microscope, read rock by rock from their trays.

cause: data-not-shuffled
family: cnn
metric: accuracy, higher
repair:
    - train_loader = DataLoader(train_set, batch_size=32)
    + train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
"""

import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

TRAYS = ["granite", "basalt", "gneiss", "sandstone", "marble"]


class ThinSections(Dataset):
    """`per_tray` pictures of 20x20 from each tray."""

    def __init__(self, per_tray, seed):
        g = torch.Generator().manual_seed(seed)
        self.items = []
        for label in range(len(TRAYS)):
            for _ in range(per_tray):
                self.items.append((self.picture(label, g), label))

    def picture(self, label, g):
        noise = torch.randn(1, 1, 20, 20, generator=g)
        blur = lambda z, k: nn.functional.avg_pool2d(z, k, 1, k // 2, count_include_pad=False)  # noqa: E731
        yy, xx = torch.meshgrid(torch.arange(20.0), torch.arange(20.0), indexing="ij")
        t = torch.rand((), generator=g) * math.pi
        along = xx * torch.cos(t) + yy * torch.sin(t)
        phase = torch.rand((), generator=g) * 6.28
        if label == 0:
            z = (blur(noise, 5) > 0.1).float() - (blur(noise, 5) < -0.15).float()
        elif label == 1:
            z = 0.8 * blur(noise, 3) - 0.3
        elif label == 2:
            z = 0.8 * torch.sin(along * 0.9 + phase) + 0.4 * blur(noise, 3)
        elif label == 3:
            z = torch.sin(xx * 1.1 + phase) * torch.sin(yy * 1.1 + 2 * phase) + 0.3 * noise
        else:
            z = 0.9 * torch.sin(along * 2.0 + phase) * (blur(noise, 7) > 0) + 0.2
        z = z.reshape(1, 20, 20)
        return z * (0.7 + 0.6 * torch.rand((), generator=g)) + 0.5 * torch.randn(z.shape, generator=g)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class RockNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(32 * 25, 64), nn.ReLU(), nn.Linear(64, len(TRAYS)))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def run_epoch(model, loader, criterion, optimizer=None):
    model.train(optimizer is not None)
    total_loss, correct = 0.0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for images, labels in loader:
            outputs = model(images)
            loss = criterion(outputs, labels)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total_loss += loss.item() * len(labels)
            correct += (outputs.argmax(1) == labels).sum().item()
    return total_loss / len(loader.dataset), correct / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(0)
    train_set, test_set = ThinSections(320, seed=1), ThinSections(100, seed=2)
    train_loader = DataLoader(train_set, batch_size=32)
    test_loader = DataLoader(test_set, batch_size=100)
    model = RockNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        train_loss, train_acc = run_epoch(model, train_loader, criterion, optimizer)
        test_loss, test_acc = run_epoch(model, test_loader, criterion)
        print(f"{epoch:2d}  train {train_loss:.3f} {train_acc:.3f}  test {test_loss:.3f} {test_acc:.3f}")
    print(f"metric: {test_acc:.4f}")
