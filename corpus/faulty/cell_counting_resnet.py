"""A narrow and deep convolutional network counts the cells in small microscope pictures.

cause: training-in-eval-mode
family: cnn
metric: accuracy, higher
repair:
    - total = 0.0
    + self.net.train()
    + total = 0.0
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def slide(count, rng, size=20):
    rows, columns = np.mgrid[:size, :size]
    picture = rng.normal(0, 12, (size, size)) + 60
    for _ in range(count):
        r, c = rng.uniform(2, size - 2, 2)
        picture += 90 * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 3)
    return picture / 255


def slides(n, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, n)
    pictures = np.stack([slide(count, rng) for count in counts])
    return torch.tensor(pictures[:, None], dtype=torch.float32), torch.tensor(counts)


class CellNet(nn.Module):
    def __init__(self, width=12, depth=6):
        super().__init__()
        layers = []
        for i in range(depth):
            layers.append(
                nn.Conv2d(width if i else 1, width, 3, padding=1, stride=2 if i == 2 else 1, bias=False)
            )
            layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


class Experiment:
    def __init__(self, net, train, val, epochs):
        self.net = net
        self.train_loader = DataLoader(TensorDataset(*train), batch_size=50, shuffle=True)
        self.val_loader = DataLoader(TensorDataset(*val), batch_size=100)
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, epochs)
        self.criterion = nn.CrossEntropyLoss()
        self.epochs = epochs

    def validate(self):
        self.net.eval()
        right = 0
        with torch.no_grad():
            for x, y in self.val_loader:
                right += (self.net(x).argmax(1) == y).sum().item()
        return right / len(self.val_loader.dataset)

    def train_epoch(self):
        total = 0.0
        for x, y in self.train_loader:
            loss = self.criterion(self.net(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        self.schedule.step()
        return total / len(self.train_loader)

    def run(self):
        print(f"before training: accuracy {self.validate():.4f}")
        for epoch in range(self.epochs):
            loss = self.train_epoch()
            accuracy = self.validate()
            print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {accuracy:.4f}")
        return accuracy


if __name__ == "__main__":
    torch.manual_seed(21)
    experiment = Experiment(CellNet(), slides(1000, 1), slides(400, 2), epochs=10)
    print(f"metric: {experiment.run():.4f}")
