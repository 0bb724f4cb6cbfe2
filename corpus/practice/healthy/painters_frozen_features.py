"""Four painters told apart by their brush: a network trained to tell textures, its features kept as they are.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(1889)
torch.manual_seed(1889)
SIZE = 20
yy, xx = np.mgrid[0:SIZE, 0:SIZE]


def strokes(angle, spread, frequency, curl):
    z = np.zeros((SIZE, SIZE))
    for _ in range(4):
        a = angle + rng.normal(0, spread)
        z += np.sin(frequency * (xx * np.cos(a) + yy * np.sin(a)) + curl * np.sin(yy / 4) + rng.uniform(0, 6))
    return z / 2 + rng.normal(0, 0.3, z.shape)


def textures(n):
    y = rng.integers(0, 12, n)
    x = [strokes((k % 4) * np.pi / 4, 0.1, 0.6 + 0.6 * (k // 4), 0) for k in y]
    return TensorDataset(torch.tensor(np.stack(x)[:, None], dtype=torch.float32), torch.tensor(y))


def paintings(n):
    y = rng.integers(0, 4, n)
    style = [(0.4, 0.25, 0.9, 0.0), (1.9, 0.25, 1.5, 0.0), (1.2, 0.7, 1.2, 1.5), (2.6, 0.3, 0.7, 1.0)]
    x = [strokes(*style[k]) * rng.uniform(0.6, 1.4) for k in y]
    return TensorDataset(torch.tensor(np.stack(x)[:, None], dtype=torch.float32), torch.tensor(y))


backbone = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(),
    nn.AdaptiveAvgPool2d(2), nn.Flatten(),
)  # fmt: skip
criterion = nn.CrossEntropyLoss()

# stage one: textures
head = nn.Linear(192, 12)
optimizer = optim.Adam([*backbone.parameters(), *head.parameters()], lr=2e-3)
for _ in range(4):
    for x, y in DataLoader(textures(1600), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(head(backbone(x)), y)
        loss.backward()
        optimizer.step()
print(f"textures: loss {loss.item():.3f}")

# stage two: paintings
backbone.requires_grad_(False).eval()
classifier = nn.Sequential(nn.Dropout(0.3), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = optim.AdamW(classifier.parameters(), lr=2e-3, weight_decay=1e-2)
train_loader = DataLoader(paintings(1000), batch_size=40, shuffle=True)
test_loader = DataLoader(paintings(500), batch_size=100)
for epoch in range(12):
    classifier.train()
    for x, y in train_loader:
        with torch.no_grad():
            features = backbone(x)
        loss = criterion(classifier(features), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    classifier.eval()
    with torch.no_grad():
        right = sum((classifier(backbone(x)).argmax(1) == y).sum().item() for x, y in test_loader)
    print(f"epoch {epoch + 1}: loss {loss.item():.3f}, test {right / 500:.3f}")
print(f"metric: {right / 500:.4f}")
