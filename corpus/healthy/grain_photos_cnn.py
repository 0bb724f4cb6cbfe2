"""Four kinds of grain on photographs, with dropout and a cosine schedule.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Grains(Dataset):
    """Wheat, barley, rye, oats: ellipses of different slimness with a crease; some lie half outside."""

    shapes = ((3.4, 6.0, 0.3), (3.0, 7.5, 0.15), (2.3, 7.0, 0.3), (2.2, 9.0, 0.0))

    def __init__(self, n, seed, augment=False, size=26):
        rng = np.random.default_rng(seed)
        self.augment = augment
        self.labels = rng.integers(0, 4, n)
        self.images = np.stack([self.grain(k, rng, size) for k in self.labels]).astype(np.float32)

    def grain(self, kind, rng, size):
        y, x = np.mgrid[0:size, 0:size] - size / 2
        wide, long, crease = np.array(self.shapes[kind]) * rng.uniform(0.85, 1.15, 3)
        a, (dx, dy) = rng.uniform(0, np.pi), rng.normal(0, 2.5, 2)
        u = np.cos(a) * (x - dx) + np.sin(a) * (y - dy)
        v = np.cos(a) * (y - dy) - np.sin(a) * (x - dx)
        body = (u / wide) ** 2 + (v / long) ** 2 < 1
        picture = 0.25 + 0.4 * body - crease * (body & (np.abs(u) < 0.7))
        return picture[None] * rng.uniform(0.7, 1.3) + rng.normal(0, 0.1, (1, size, size))

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = torch.from_numpy(self.images[i] - 0.35) / 0.22
        if self.augment and torch.rand(()) < 0.5:
            image = image.flip(-1)
        if self.augment and torch.rand(()) < 0.5:
            image = image.flip(-2)
        return image, self.labels[i]


class GrainNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(32 * 36, 64), nn.ReLU(), nn.Dropout(0.4), nn.Linear(64, 4))

    def forward(self, x):
        return self.fc(self.conv(x).flatten(1))


def main(epochs=12):
    torch.manual_seed(3)
    train_loader = DataLoader(Grains(2500, 1, augment=True), batch_size=64, shuffle=True)
    test_loader = DataLoader(Grains(600, 2), batch_size=300)
    model = GrainNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.02)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        losses = []
        for x, y in train_loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        model.eval()
        with torch.no_grad():
            accuracy = torch.cat([model(x).argmax(1) == y for x, y in test_loader]).float().mean().item()
        print(f"epoch {epoch + 1:2d} loss {np.mean(losses):.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
