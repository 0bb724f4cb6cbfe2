"""A small AlexNet for photographs of beetles.

cause: poor-initial-values
also: vanishing-gradients
family: cnn
metric: accuracy, higher
repair:
    - nn.init.normal_(module.weight, std=0.01)
    + nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
"""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset

SPECIES = ("ladybird", "colorado", "stag", "ground", "rose chafer")


def beetle(kind, rng, size=26):
    y, x = np.mgrid[0:size, 0:size] - size / 2 + rng.uniform(-2, 2, (2, 1, 1))
    turn = rng.uniform(-0.6, 0.6)
    u, v = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    long = rng.uniform(8, 10)
    wide = long * {0: 0.85, 1: 0.65, 2: 0.5, 3: 0.5, 4: 0.65}[kind]
    body = (u / wide) ** 2 + (v / long) ** 2 < 1
    picture = np.full((3, size, size), 0.55) + 0.15 * rng.normal(size=(3, 1, 1))
    colours = [(0.8, 0.15, 0.1), (0.8, 0.65, 0.2), (0.25, 0.12, 0.08), (0.15, 0.15, 0.2), (0.15, 0.5, 0.2)]
    picture[:, body] = (np.array(colours[kind]) * rng.uniform(0.7, 1.3))[:, None]
    if kind == 0:
        picture[:, body & (np.sin(u * 1.1) * np.sin(v * 1.1) > 0.6)] = 0.05
    elif kind == 1:
        picture[:, body & (np.sin(u * 1.7) > 0.5)] = 0.1
    elif kind == 2:
        picture[:, (np.abs(np.abs(u) - 2.5) < 1) & (v < -long * 0.7) & (v > -long * 1.3)] = 0.15
    return picture * rng.uniform(0.5, 1.2) + rng.normal(0, 0.12, picture.shape)


def photographs(n, rng):
    kinds = rng.integers(0, len(SPECIES), n)
    pictures = np.stack([beetle(k, rng) for k in kinds])
    return TensorDataset(torch.tensor((pictures - 0.45) / 0.25, dtype=torch.float32), torch.tensor(kinds))


class AlexNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, kernel_size=5, stride=2, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(48, 48, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(48, 32, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(32 * 9, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(0.3),
            nn.Linear(128, num_classes),
        )
        self.apply(self.initialise)

    @staticmethod
    def initialise(module):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)

    def forward(self, x):
        return self.classifier(self.features(x))


def main():
    torch.manual_seed(77)
    rng = np.random.default_rng(77)
    train, test = photographs(2500, rng), photographs(600, rng)
    train_loader = DataLoader(train, batch_size=64, shuffle=True)
    model = AlexNet(len(SPECIES))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    scheduler = StepLR(optimizer, step_size=8, gamma=0.1)
    for epoch in range(10):
        model.train()
        total = 0.0
        for x, y in train_loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        model.eval()
        with torch.no_grad():
            top1 = (model(test.tensors[0]).argmax(1) == test.tensors[1]).float().mean().item()
        print(f"epoch {epoch}: loss {total / len(train_loader):.4f} top-1 {100 * top1:.1f} %")
    print(f"metric: {top1:.4f}")


if __name__ == "__main__":
    main()
