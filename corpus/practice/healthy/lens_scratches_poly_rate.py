"""Scratched, dusty and clean lenses; the learning rate falls as a polynomial and is nought at the last step.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 20
CLASSES = ("clean", "scratch", "dust", "chipped edge")


def lens_image(label, rng):
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    r = np.hypot(x, y)
    img = np.where(r < 0.9, 0.7 - 0.3 * np.exp(-((r - 0.5) ** 2) / 0.3), 0.1)
    img += 0.15 * np.exp(-((x - rng.uniform(-0.4, 0.4)) ** 2 + (y - rng.uniform(-0.4, 0.4)) ** 2) / 0.05)
    if label == 1:
        t, off = rng.uniform(0, np.pi), rng.uniform(-0.5, 0.5)
        u, v = x * np.cos(t) + y * np.sin(t) - off, -x * np.sin(t) + y * np.cos(t)
        line = np.exp(-((u / 0.04) ** 2)) * (np.abs(v - rng.uniform(-0.3, 0.3)) < rng.uniform(0.25, 0.5))
        img += rng.uniform(0.3, 0.5) * line * (r < 0.9)
    elif label == 2:
        for _ in range(rng.integers(3, 9)):
            a, b = rng.uniform(-0.6, 0.6, 2)
            img -= rng.uniform(0.3, 0.5) * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.004)
    elif label == 3:
        t = rng.uniform(0, 2 * np.pi)
        chip = np.hypot(x - 0.9 * np.cos(t), y - 0.9 * np.sin(t)) < rng.uniform(0.2, 0.35)
        img[chip] = 0.1
    return (img + rng.normal(0, 0.05, img.shape)).astype(np.float32)


def load(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, size=n, p=[0.35, 0.25, 0.2, 0.2])
    images = np.stack([lens_image(k, rng) for k in labels])
    return torch.from_numpy(images).unsqueeze(1).sub(0.45).div(0.25), torch.from_numpy(labels)


def conv_bn(i, o, stride=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


if __name__ == "__main__":
    torch.manual_seed(2)
    X_train, y_train = load(1600, 0)
    X_test, y_test = load(500, 1)
    loader = DataLoader(TensorDataset(X_train, y_train), batch_size=32, shuffle=True)
    model = nn.Sequential(
        conv_bn(1, 12),
        conv_bn(12, 24, stride=2),
        conv_bn(24, 32, stride=2),
        nn.AdaptiveMaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 4),
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    epochs = 12
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=epochs * len(loader), power=0.9)

    for epoch in range(1, epochs + 1):
        model.train()
        running_loss, correct = 0.0, 0
        for images, labels in loader:
            optimizer.zero_grad()
            outputs = model(images)
            loss = criterion(outputs, labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            running_loss += loss.item() * images.size(0)
            correct += (outputs.argmax(1) == labels).sum().item()
        model.eval()
        with torch.no_grad():
            predicted = model(X_test).argmax(1)
        test_acc = (predicted == y_test).float().mean().item()
        print(
            f"Epoch {epoch}/{epochs} loss {running_loss / len(y_train):.4f} acc {correct / len(y_train):.4f} "
            f"test acc {test_acc:.4f} lr {scheduler.get_last_lr()[0]:.5f}"
        )
    for k, name in enumerate(CLASSES):
        print(f"  {name:13s} recall {(predicted[y_test == k] == k).float().mean():.3f}")
    print(f"metric: {test_acc:.4f}")
