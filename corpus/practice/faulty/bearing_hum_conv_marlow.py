"""Condition of a bearing from a second of its hum, with convolutions over time.

cause: missing-activation
family: cnn
metric: accuracy, higher
repair:
    - nn.AvgPool1d(2),
    + nn.ReLU(),
    + nn.AvgPool1d(2),
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, random_split

CONDITIONS = ("sound", "inner ring", "outer ring", "cage")


class Bearings(torch.utils.data.Dataset):
    def __init__(self, n, seed=0, samples=200):
        rng = np.random.default_rng(seed)
        t = np.arange(samples) / samples
        self.y = rng.integers(len(CONDITIONS), size=n)
        self.x = np.zeros((n, 1, samples), dtype=np.float32)
        for i, condition in enumerate(self.y):
            turn = rng.uniform(9, 12)
            hum = np.sin(2 * np.pi * (turn * t + rng.random()))
            ring = np.sin(2 * np.pi * rng.uniform(45, 55) * t + 6.3 * rng.random())
            beat = (
                1 + np.sin(2 * np.pi * ((0.0, 5.4, 3.6, 0.4)[condition] * turn / 5 * t + rng.random()))
            ) / 2
            strength = 0.0 if condition == 0 else rng.uniform(0.7, 1.2)
            self.x[i, 0] = hum + strength * ring * beat**3 + 0.3 * rng.normal(size=samples)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return torch.from_numpy(self.x[i]), int(self.y[i])


def conv_block(cin, cout, kernel):
    return nn.Sequential(
        nn.Conv1d(cin, cout, kernel, padding=kernel // 2),
        nn.BatchNorm1d(cout),
        nn.AvgPool1d(2),
    )


class BearingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_block(1, 16, 9), conv_block(16, 32, 7), conv_block(32, 32, 5))
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.classifier = nn.Linear(32, len(CONDITIONS))

    def forward(self, x):
        x = self.pool(self.features(x)).flatten(1)
        return self.classifier(x)


def train_one_epoch(model, loader, optimizer, criterion):
    model.train()
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
    return total / len(loader.dataset)


@torch.no_grad()
def test(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(10)
    train_set, test_set = random_split(Bearings(2600), [2000, 600])
    train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=200)
    model = BearingNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        loss = train_one_epoch(model, train_loader, optimizer, criterion)
        accuracy = test(model, test_loader)
        print(f"epoch {epoch:2d} loss {loss:.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
