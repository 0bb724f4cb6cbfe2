"""A net that knows common mushrooms is tuned to rare fungi; the lower a layer, the smaller its rate.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIZE = 20


def mushroom(rng, cap_w, cap_h, stem_w, spots, gills):
    y, x = np.mgrid[0:SIZE, 0:SIZE] / (SIZE - 1) * 2 - 1
    x = x - rng.normal(0, 0.08)
    y = y - rng.normal(0, 0.08)
    cap = ((x / cap_w) ** 2 + ((y + 0.2) / cap_h) ** 2 < 1) & (y < 0.0)
    stem = (np.abs(x) < stem_w) & (y >= 0) & (y < 0.8)
    pic = np.full((SIZE, SIZE), 0.3)
    pic[stem] = 0.8
    pic[cap] = 0.6
    if gills:
        band = cap & (y > -0.15)
        pic[band] = np.where(np.sin(18 * x[band]) > 0, 0.35, 0.7)
    for _ in range(spots):
        a, b = rng.uniform(-cap_w, cap_w) * 0.7, rng.uniform(-0.2 - cap_h * 0.7, -0.1)
        pic[cap & (np.hypot(x - a, y - b) < 0.09)] = 1.0
    return (pic * rng.uniform(0.8, 1.2) + rng.normal(0, 0.12, pic.shape)).astype(np.float32)


def species(k, seed):
    rng = np.random.default_rng(seed)
    return [
        {
            "cap_w": rng.uniform(0.45, 0.9),
            "cap_h": rng.uniform(0.25, 0.75),
            "stem_w": rng.uniform(0.08, 0.3),
            "spots": int(rng.choice([0, 4, 9])),
            "gills": bool(rng.integers(2)),
        }
        for _ in range(k)
    ]


def collect(kinds, per_kind, rng):
    x = np.stack([mushroom(rng, **kind) for kind in kinds for _ in range(per_kind)])
    y = np.repeat(np.arange(len(kinds)), per_kind)
    return torch.from_numpy((x[:, None] - 0.5) / 0.25), torch.from_numpy(y)


class MushroomNet(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.stage1 = self.stage(1, 12)
        self.stage2 = self.stage(12, 24)
        self.stage3 = self.stage(24, 40)
        self.fc = nn.Linear(40 * 4, n_out)

    @staticmethod
    def stage(i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x):
        return self.fc(self.stage3(self.stage2(self.stage1(x))).flatten(1))


def evaluate(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def train(model, optimizer, loader, epochs, scheduler=None):
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
        if scheduler:
            scheduler.step()
        print(f"  epoch {epoch + 1}: {total / len(loader):.4f}")


if __name__ == "__main__":
    torch.manual_seed(13)
    rng = np.random.default_rng(13)
    common, rare = species(12, 100), species(6, 200)
    base_x, base_y = collect(common, 130, rng)
    few_x, few_y = collect(rare, 25, rng)
    test_x, test_y = collect(rare, 100, rng)

    print("common mushrooms")
    model = MushroomNet(12)
    loader = DataLoader(TensorDataset(base_x, base_y), batch_size=40, shuffle=True)
    train(model, torch.optim.Adam(model.parameters(), lr=2e-3), loader, epochs=6)

    print("rare fungi")
    model.fc = nn.Linear(40 * 4, 6)
    head_lr, decay = 3e-3, 0.2
    groups = [
        {"params": layer.parameters(), "lr": head_lr * decay**depth}
        for depth, layer in enumerate([model.fc, model.stage3, model.stage2, model.stage1])
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15)
    few = DataLoader(TensorDataset(few_x, few_y), batch_size=15, shuffle=True)
    train(model, optimizer, few, 15, scheduler)
    print(f"metric: {evaluate(model, test_x, test_y):.4f}")
