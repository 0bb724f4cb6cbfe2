"""The area of a drawn leaf in square millimetres, by a small convolutional network.

cause: targets-not-scaled
family: cnn
metric: mean absolute error, lower
repair:
    - return torch.tensor(picture[None]).float(), torch.tensor([area]).float()
    + return torch.tensor(picture[None]).float(), torch.tensor([area]).float() / 500
    - return error / len(leaves)
    + return 500 * error / len(leaves)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

SIDE, MM_PER_PIXEL = 24, 3.0


class Leaves(Dataset):
    def __init__(self, count, seed):
        self.rng = np.random.default_rng(seed)
        self.leaves = [self.draw() for _ in range(count)]

    def draw(self):
        rows, cols = np.mgrid[:SIDE, :SIDE]
        r, c = self.rng.uniform(9, 15, 2)
        length, width, turn = self.rng.uniform(4, 9), self.rng.uniform(2, 5), self.rng.uniform(0, np.pi)
        along = (rows - r) * np.cos(turn) + (cols - c) * np.sin(turn)
        across = (cols - c) * np.cos(turn) - (rows - r) * np.sin(turn)
        inside = np.abs(across) < width * np.clip(1 - (along / length) ** 2, 0, None)
        area = inside.sum() * MM_PER_PIXEL**2
        picture = 0.6 * inside + self.rng.normal(0, 0.15, (SIDE, SIDE))
        return picture, area

    def __len__(self):
        return len(self.leaves)

    def __getitem__(self, index):
        picture, area = self.leaves[index]
        return torch.tensor(picture[None]).float(), torch.tensor([area]).float()


def build():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
        nn.Flatten(), nn.Linear(144, 32), nn.ReLU(), nn.Linear(32, 1),
    )  # fmt: skip


def absolute_error(model, leaves):
    model.eval()
    error = 0.0
    with torch.no_grad():
        for picture, area in DataLoader(leaves, batch_size=100):
            error += (model(picture) - area).abs().sum().item()
    return error / len(leaves)


def main():
    torch.manual_seed(9)
    leaves = Leaves(1200, seed=9)
    train, test = Subset(leaves, range(1000)), Subset(leaves, range(1000, 1200))
    loader = DataLoader(train, batch_size=25, shuffle=True, drop_last=True)
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.SmoothL1Loss()
    for epoch in range(8):
        model.train()
        running = 0.0
        for picture, area in loader:
            optimizer.zero_grad()
            loss = criterion(model(picture), area)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"[{epoch + 1}] train {running / len(loader):.3f}  test {absolute_error(model, test):.3f}")
    print(f"metric: {absolute_error(model, test):.4f}")


if __name__ == "__main__":
    main()
