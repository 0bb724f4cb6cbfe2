"""Casts of museum reliefs (heads, hands, leaves, letters) told apart by a plain network of ten convolutions.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - for x, y in train_dl:
    + model.train()
    + for x, y in train_dl:
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(100)
np.random.seed(100)
CLASSES = ("head", "hand", "leaf", "letter")


def height(kind):
    g = np.linspace(-1, 1, 22)
    x, y = np.meshgrid(g - np.random.uniform(-0.2, 0.2), g - np.random.uniform(-0.2, 0.2))
    t = np.random.uniform(-0.4, 0.4)
    x, y = x * np.cos(t) - y * np.sin(t), x * np.sin(t) + y * np.cos(t)
    if kind == 0:
        h = np.exp(-((x / 0.5) ** 2 + (y / 0.7) ** 2) * 2) + 0.4 * np.exp(-(x**2 + (y - 0.1) ** 2) * 30)
    elif kind == 1:
        h = sum(np.exp(-(((x - d) / 0.08) ** 2)) * (y < 0.1) for d in (-0.45, -0.15, 0.15, 0.45))
        h = h + np.exp(-((x / 0.5) ** 4 + ((y - 0.4) / 0.3) ** 4))
    elif kind == 2:
        h = np.exp(-((np.abs(x) / (0.45 * (1 - np.abs(y)).clip(0.05))) ** 2)) + 0.3 * np.cos(
            16 * (y + np.abs(x))
        )
    else:
        h = np.exp(-((x / 0.1) ** 2)) * (np.abs(y) < 0.7) + np.exp(
            -(((y - np.random.choice([-0.6, 0, 0.6])) / 0.1) ** 2)
        )
    gy, gx = np.gradient(h)
    light = np.random.uniform(0, 2 * np.pi)
    return 3 * (gx * np.cos(light) + gy * np.sin(light)) + np.random.normal(0, 0.25, h.shape)


def make(n):
    y = np.random.randint(0, 4, n)
    x = np.stack([height(k) for k in y])[:, None].astype(np.float32)
    return TensorDataset(torch.tensor(x), torch.tensor(y))


def conv(i, o, stride=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True))


model = nn.Sequential(
    conv(1, 12), conv(12, 12), conv(12, 12, 2), conv(12, 20), conv(20, 20), conv(20, 20, 2),
    conv(20, 32), conv(32, 32), conv(32, 32), conv(32, 32),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, len(CLASSES)),
)  # fmt: skip


def test(model, dl):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in dl:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(dl.dataset)


train_dl = DataLoader(make(1400), batch_size=50, shuffle=True)
test_dl = DataLoader(make(500), batch_size=125)
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
loss_func = nn.CrossEntropyLoss()

print(f"before training: {test(model, test_dl):.3f}")
for epoch in range(7):
    for x, y in train_dl:
        loss = loss_func(model(x), y)
        loss.backward()
        opt.step()
        opt.zero_grad()
    acc = test(model, test_dl)
    print(f"epoch {epoch}: last batch {loss.item():.3f}, test {acc:.3f}")
print(f"metric: {acc:.4f}")
