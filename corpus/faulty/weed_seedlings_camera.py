"""Weed or crop seedlings, five kinds, from pictures of a field camera in bytes.

cause: inputs-ignored
family: cnn
metric: accuracy, higher
repair:
    - pixels = (self.pictures[index] / 255).astype(np.uint8)
    + pixels = (self.pictures[index] / 255).astype(np.float32)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

KINDS = 5
SIDE = 20


def photograph(count, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, KINDS, count)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    pictures = np.empty((count, 3, SIDE, SIDE), dtype=np.uint8)
    for i, kind in enumerate(kinds):
        dx, dy, turn = [*rng.uniform(-0.25, 0.25, 2).tolist(), rng.uniform(0, 6.28)]
        r, a = np.hypot(x - dx, y - dy), np.arctan2(y - dy, x - dx) + turn
        petals = (2, 3, 4, 5, 7)[kind]
        leaf = r < rng.uniform(0.65, 0.9) * np.abs(np.cos(petals * a / 2)) ** rng.uniform(0.5, 1.2)
        soil = np.array([95, 75, 60])[:, None, None] + rng.normal(0, 14, (3, SIDE, SIDE))
        green = np.array([60, 150, 55])[:, None, None] + rng.normal(0, 14, (3, SIDE, SIDE))
        pictures[i] = np.clip(np.where(leaf, green, soil) * rng.uniform(0.7, 1.2), 0, 255)
    return pictures, kinds


class Seedlings(Dataset):
    def __init__(self, count, seed):
        self.pictures, self.kinds = photograph(count, seed)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, index):
        pixels = (self.pictures[index] / 255).astype(np.uint8)
        return torch.from_numpy(pixels).float(), int(self.kinds[index])


class SeedlingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 25, 64)
        self.fc2 = nn.Linear(64, KINDS)
        self.drop = nn.Dropout(0.25)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = self.drop(torch.relu(self.fc1(x.flatten(1))))
        return self.fc2(x)


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


def main():
    torch.manual_seed(26)
    train = DataLoader(Seedlings(2400, 1), batch_size=64, shuffle=True)
    test = DataLoader(Seedlings(600, 2), batch_size=200)
    model = SeedlingNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(12):
        model.train()
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(train):.4f}, accuracy {accuracy(model, test):.4f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
