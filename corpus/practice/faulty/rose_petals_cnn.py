"""Varieties of roses by the arrangement of their petals, small colour pictures.

cause: learning-rate-too-high
family: cnn
metric: accuracy, higher
repair:
    - optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    + optimizer = torch.optim.RMSprop(model.parameters(), lr=0.0005)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

SIZE = 20
VARIETIES = 6


class RoseDataset(Dataset):
    def __init__(self, n, seed):
        rng = np.random.RandomState(seed)
        ax = np.linspace(-1, 1, SIZE)
        yy, xx = np.meshgrid(ax, ax, indexing="ij")
        self.labels = rng.randint(0, VARIETIES, n)
        self.images = np.empty((n, 3, SIZE, SIZE), dtype=np.float32)
        for i, label in enumerate(self.labels):
            dx, dy = rng.uniform(-0.2, 0.2, 2)
            r = np.hypot(xx - dx, yy - dy)
            phi = np.arctan2(yy - dy, xx - dx) + rng.uniform(0, 2 * np.pi)
            petals, twist = 3 + label // 2, 4.0 if label % 2 else -4.0
            swirl = 0.5 + 0.5 * np.cos(petals * phi + twist * r)
            flower = swirl / (1 + np.exp((r - 0.75) * 15))
            hue = rng.uniform(0.3, 1.0, 3)[:, None, None]
            self.images[i] = hue * flower + 0.15 * rng.randn(3, SIZE, SIZE)
        self.images = (self.images - 0.25) / 0.35

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return torch.from_numpy(self.images[index]), int(self.labels[index])


class RoseNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Linear(32 * 25, 64), nn.ReLU(), nn.Linear(64, VARIETIES))

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def evaluate(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(1) == labels).sum().item()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(14)
    train_loader = DataLoader(RoseDataset(2000, 0), batch_size=50, shuffle=True)
    test_loader = DataLoader(RoseDataset(600, 1), batch_size=200)
    model = RoseNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    for epoch in range(12):
        model.train()
        losses = []
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        score = evaluate(model, test_loader)
        print(f"Epoch {epoch + 1}: loss={np.mean(losses):.4f}, test_acc={score:.4f}")
    print(f"metric: {score:.4f}")


if __name__ == "__main__":
    main()
