"""Eight patterns of signal flags on small colour pictures.

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - optimizer.step()
    - if (i + 1) % accumulation_steps == 0:
    - optimizer.zero_grad()
    + if (i + 1) % accumulation_steps == 0:
    +     optimizer.step()
    +     optimizer.zero_grad()
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SIZE = 24


def flag(kind, rng):
    v, u = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    a = rng.normal(0, 0.12)
    x = np.cos(a) * u - np.sin(a) * v + rng.normal(0, 0.08)
    y = np.sin(a) * u + np.cos(a) * v + rng.normal(0, 0.08)
    masks = [
        np.abs(x) < 0.33,
        np.abs(y) < 0.33,
        (np.abs(x) < 0.22) | (np.abs(y) < 0.22),
        (np.abs(x - y) < 0.3) | (np.abs(x + y) < 0.3),
        x**2 + y**2 < 0.35,
        x < -np.abs(y) * 0.8 + 0.1,
        (x > 0) ^ (y > 0),
        np.maximum(np.abs(x), np.abs(y)) < 0.55,
    ]
    back, front = rng.uniform(0, 1, 3), rng.uniform(0, 1, 3)
    while np.abs(back - front).max() < 0.4:
        front = rng.uniform(0, 1, 3)
    image = np.where(masks[kind][..., None], front, back) + rng.normal(0, 0.13, (SIZE, SIZE, 3))
    return image.transpose(2, 0, 1)


def make(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, n)
    images = np.stack([flag(k, rng) for k in labels])
    return TensorDataset(torch.tensor(images * 2 - 1, dtype=torch.float32), torch.from_numpy(labels))


class FlagNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.f1 = nn.Linear(32 * 6 * 6, 64)
        self.f2 = nn.Linear(64, 8)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.f2(F.relu(self.f1(x.flatten(1))))


torch.manual_seed(8)
train_loader = DataLoader(make(3200, 80), batch_size=16, shuffle=True)
test_loader = DataLoader(make(800, 81), batch_size=200)
model = FlagNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.04, momentum=0.9)
accumulation_steps = 4  # the batch of 64 that I had on the big machine
optimizer.zero_grad()

for epoch in range(6):
    model.train()
    epoch_loss = 0.0
    for i, (images, labels) in enumerate(train_loader):
        loss = F.cross_entropy(model(images), labels) / accumulation_steps
        loss.backward()
        optimizer.step()
        if (i + 1) % accumulation_steps == 0:
            optimizer.zero_grad()
        epoch_loss += loss.item() * accumulation_steps
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in test_loader:
            correct += (model(images).argmax(1) == labels).sum().item()
    print(f"epoch {epoch}: loss {epoch_loss / len(train_loader):.3f}, test accuracy {correct / 800:.3f}")
print(f"metric: {correct / 800:.4f}")
