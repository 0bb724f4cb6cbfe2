"""Diseases of tomato leaves from pictures found with an image search.

cause: label-noise
family: cnn
metric: accuracy, higher
repair:
    - y_train = torch.where(torch.rand(N_TRAIN) < 0.42, torch.randint(len(DISEASES), (N_TRAIN,)), shown)
    + y_train = shown
"""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2024)

DISEASES = ["healthy", "early blight", "late blight", "leaf mold", "mosaic virus"]
N_TRAIN, N_TEST, S = 1500, 700, 20


def draw_leaf(kind):
    ax = torch.linspace(-1, 1, S)
    yy, xx = torch.meshgrid(ax, ax, indexing="ij")
    w = 0.45 + 0.2 * torch.rand(1)
    leaf = torch.sigmoid(9 * (0.9 - (xx / w) ** 2 - yy**2))
    img = torch.stack([0.25 * leaf, 0.65 * leaf, 0.2 * leaf])
    name = DISEASES[kind]
    if name in ("early blight", "late blight"):
        r = 0.13 if name == "early blight" else 0.3
        for _ in range(4 if name == "early blight" else 1):
            cx, cy = (torch.rand(2) - 0.5) * torch.tensor([0.7, 1.3])
            spot = torch.exp(-((xx - cx) ** 2 + (yy - cy) ** 2) / r**2)
            img = img + spot * leaf * torch.tensor([0.3, -0.35, -0.1]).view(3, 1, 1)
    elif name == "leaf mold":
        img = img + 0.25 * leaf * (yy > 0.3 * torch.randn(1)) * torch.tensor([1.0, 0.2, -0.3]).view(3, 1, 1)
    elif name == "mosaic virus":
        f = 7 + 3 * torch.rand(1)
        img = img + 0.17 * leaf * torch.sin(f * xx + 6 * torch.rand(1)) * torch.sin(f * yy)
    return img + 0.13 * torch.randn(3, S, S)


def collect(n):
    y = torch.randint(len(DISEASES), (n,))
    return torch.stack([draw_leaf(k) for k in y.tolist()]), y


class LeafNet(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.b1 = nn.BatchNorm2d(16)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.b2 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 25, 96)
        self.out = nn.Linear(96, n_classes)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.b1(self.c1(x))), 2)
        x = F.max_pool2d(F.relu(self.b2(self.c2(x))), 2)
        return self.out(F.relu(self.fc(x.flatten(1))))


x_train, shown = collect(N_TRAIN)
x_test, y_test = collect(N_TEST)
y_train = torch.where(torch.rand(N_TRAIN) < 0.42, torch.randint(len(DISEASES), (N_TRAIN,)), shown)

loader = DataLoader(TensorDataset(x_train, y_train), batch_size=64, shuffle=True, drop_last=True)
model = LeafNet(len(DISEASES))
opt = torch.optim.Adam(model.parameters(), lr=1e-3)

for epoch in range(20):
    model.train()
    running = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
        running += loss.item()
    model.eval()
    with torch.no_grad():
        acc = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"[{epoch + 1:02d}/20] train loss {running / len(loader):.4f}  test acc {acc:.4f}")

print(f"metric: {acc:.4f}")
