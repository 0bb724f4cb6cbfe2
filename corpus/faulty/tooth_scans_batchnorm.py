"""Types of teeth from small scans, a convolutional network with batch normalisation.

cause: batch-too-small
family: cnn
metric: accuracy, higher
repair:
    - train_loader = DataLoader(TensorDataset(*train), batch_size=2, shuffle=True, drop_last=True)
    + train_loader = DataLoader(TensorDataset(*train), batch_size=24, shuffle=True, drop_last=True)
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

TYPES = 6


def scan(kind, rng):
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    x = x * rng.uniform(0.9, 1.2) - rng.normal(0, 0.1)
    y = y * rng.uniform(0.9, 1.2) - rng.normal(0, 0.1)
    crown = ((np.abs(x) / (0.35 + 0.1 * (kind // 2))) ** 3 + (np.abs(y + 0.45) / 0.4) ** 3) < 1
    roots = 1 + kind % 3
    image = crown * 1.0
    for r in range(roots):
        centre = (r - (roots - 1) / 2) * 0.38 * (1 + 0.4 * y)
        image = np.maximum(image, (np.abs(x - centre) < 0.13 - 0.08 * y) & (y > -0.2) & (y < 0.8))
    cavity = np.exp(-((x - rng.uniform(-0.3, 0.3)) ** 2 + (y + 0.4) ** 2) / 0.03) * rng.uniform(0, 0.6)
    return image * rng.uniform(0.7, 1.1) - cavity + rng.normal(0, 0.35, x.shape)


def scans(count, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, TYPES, count)
    return torch.tensor(np.stack([scan(k, rng) for k in kinds]), dtype=torch.float32)[:, None], torch.tensor(
        kinds
    )


class ToothNet(nn.Module):
    def __init__(self):
        super().__init__()

        def block(cin, cout):
            return [nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(), nn.MaxPool2d(2)]

        self.features = nn.Sequential(*block(1, 12), *block(12, 24), *block(24, 32))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(128, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, TYPES)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def main():
    torch.manual_seed(33)
    train, (test_x, test_y) = scans(1500, 1), scans(600, 2)
    train_loader = DataLoader(TensorDataset(*train), batch_size=2, shuffle=True, drop_last=True)
    model = ToothNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(4):
        model.train()
        losses = []
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        print(
            f"epoch {epoch + 1}: {len(losses)} batches, loss {np.mean(losses):.4f}, accuracy {accuracy:.4f}"
        )
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
