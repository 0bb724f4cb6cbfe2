"""Leaf margins in herbarium sheets: a backbone learned on plain shapes, a new head first, then all of it.

cause: frozen-parameters
begins: 181
family: cnn
metric: accuracy, higher
repair:
    - param.require_grad = True
    + param.requires_grad = True
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 24


def draw(radius):
    """Pictures from a radius function of the angle."""
    yy, xx = np.mgrid[0:SIZE, 0:SIZE] - (SIZE - 1) / 2
    angle, dist = np.arctan2(yy, xx), np.hypot(yy, xx)
    return 1 / (1 + np.exp(-2 * (radius(angle) - dist)))


def shapes(n, rng):
    """Discs, bars and squares: the old task."""
    images, labels = [], rng.integers(0, 3, n)
    for k in labels:
        r, turn = rng.uniform(4, 9), rng.uniform(0, np.pi)
        if k == 0:
            image = draw(lambda a, r=r: r + 0 * a)
        elif k == 1:
            image = draw(lambda a, r=r, t=turn: r / (1 + 3 * np.abs(np.sin(a - t))))
        else:
            image = draw(
                lambda a, r=r, t=turn: 0.8 * r / np.maximum(np.abs(np.cos(a - t)), np.abs(np.sin(a - t)))
            )
        images.append(image + rng.normal(0, 0.1, image.shape))
    return to_set(images, labels)


def leaves(n, rng):
    """Entire, wavy, toothed, lobed and palmate margins."""
    images, labels = [], rng.integers(0, 5, n)
    for k in labels:
        r, turn = rng.uniform(6.5, 8.5), rng.uniform(0, 2 * np.pi)
        waves = (0, rng.integers(6, 9), rng.integers(11, 15), rng.integers(3, 5), 5)[k]
        depth = (0.0, 0.10, 0.13, 0.2, 0.36)[k] * rng.uniform(0.85, 1.15)
        stretch = rng.uniform(0, 0.15)

        def radius(a, r=r, t=turn, w=waves, d=depth, s=stretch):
            return r * (1 + s * np.cos(2 * (a - t)) + d * np.cos(w * (a + t)))

        image = draw(radius)
        images.append(image * rng.uniform(0.7, 1) + rng.normal(0, 0.1, image.shape))
    return to_set(images, labels)


def to_set(images, labels):
    x = torch.tensor(np.array(images), dtype=torch.float32).unsqueeze(1)
    return TensorDataset((x - 0.3) / 0.4, torch.tensor(labels))


class LeafNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.fc = nn.Linear(32 * 9, num_classes)

    def forward(self, x):
        return self.fc(self.backbone(x))


def run_epochs(model, loader, optimizer, epochs, name):
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"{name} epoch {epoch + 1}: loss {total / len(loader):.4f}")


def main():
    torch.manual_seed(55)
    rng = np.random.default_rng(55)
    model = LeafNet(3)
    run_epochs(
        model,
        DataLoader(shapes(960, rng), batch_size=32, shuffle=True),
        torch.optim.Adam(model.parameters(), lr=1e-3),
        3,
        "shapes",
    )

    # stage 1: only the new head
    model.fc = nn.Linear(model.fc.in_features, 5)
    for param in model.backbone.parameters():
        param.requires_grad = False
    loader = DataLoader(leaves(1440, rng), batch_size=48, shuffle=True)
    run_epochs(model, loader, torch.optim.Adam(model.fc.parameters(), lr=2e-3), 3, "head")

    # stage 2: unfreeze and fine-tune everything
    for param in model.backbone.parameters():
        param.require_grad = True
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    run_epochs(model, loader, optimizer, 10, "fine-tuning")

    model.eval()
    x, y = leaves(500, rng).tensors
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
