"""Brick, plaster, planks and tiles: what a facade is made of, from a grey patch of it.

cause: symmetric-initial-values
family: cnn
metric: accuracy, higher
repair:
    - conv.weight.fill_(1 / (conv.in_channels * 9))
    - conv.bias.zero_()
    + nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    + conv.bias.zero_()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Facades(Dataset):
    names = ("brick", "plaster", "planks", "slats", "tiles")

    def __init__(self, n, seed, size=24):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[0:size, 0:size]
        self.items = []
        for _ in range(n):
            kind = int(rng.integers(len(self.names)))
            r, c = rows + rng.integers(0, 12), columns + rng.integers(0, 12)
            wall = np.zeros((size, size))
            if kind == 0:
                wall[(r % 4 == 0) | ((c + 4 * (r // 4 % 2)) % 8 == 0)] = 1
            elif kind == 1:
                wall = rng.random((size, size)) < 0.3
            elif kind == 2:
                wall[c % 4 == 0] = 1
            elif kind == 3:
                wall[r % 4 == 0] = 1
            else:
                wall[(r % 6 == 0) | (c % 6 == 0)] = 1
            wall = wall * rng.uniform(0.5, 1.2) + rng.normal(0, 0.35, (size, size))
            wall = (wall - wall.mean()) / wall.std()
            self.items.append((torch.tensor(wall[None], dtype=torch.float32), kind))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class PatchNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.fc = nn.Linear(32, classes)
        with torch.no_grad():
            for conv in (self.conv1, self.conv2):
                conv.weight.fill_(1 / (conv.in_channels * 9))
                conv.bias.zero_()

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = torch.relu(self.conv2(x))
        return self.fc(x.mean(dim=(2, 3)))


class Trainer:
    def __init__(self, model, train_set, test_set, lr=2e-3, batch_size=50):
        self.model = model
        self.train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=200)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(self.train_loader)

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = count = 0
        for x, y in self.test_loader:
            hits += int((self.model(x).argmax(1) == y).sum())
            count += len(y)
        return hits / count

    def fit(self, epochs):
        for epoch in range(epochs):
            loss = self.train_epoch()
            print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {self.evaluate():.3f}")
        return self.evaluate()


if __name__ == "__main__":
    torch.manual_seed(9)
    trainer = Trainer(PatchNet(len(Facades.names)), Facades(2000, seed=1), Facades(600, seed=2))
    print(f"metric: {trainer.fit(14):.4f}")
