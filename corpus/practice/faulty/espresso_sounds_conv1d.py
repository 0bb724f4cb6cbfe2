"""A one-dimensional CNN that hears what an espresso machine is doing.

cause: missing-activation
family: cnn
metric: accuracy, higher
repair:
    - x = self.bn1(self.conv1(x))
    - x = self.bn2(self.conv2(x))
    - x = self.bn3(self.conv3(x))
    + x = self.act(self.bn1(self.conv1(x)))
    + x = self.act(self.bn2(self.conv2(x)))
    + x = self.act(self.bn3(self.conv3(x)))
"""

import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

STATES = ["heating", "grinding", "pumping", "steaming"]
LENGTH = 400


def clip(state, generator):
    t = torch.arange(LENGTH) / 2000.0
    noise = torch.randn(LENGTH, generator=generator)
    u = torch.rand(4, generator=generator)
    phase = 2 * math.pi * u[1]
    if state == 0:
        wave = 0.5 * torch.sin(2 * math.pi * (95 + 10 * u[0]) * t + phase) + 0.3 * noise
    elif state == 1:
        f = 280 + 60 * u[0]
        wave = (
            torch.sin(2 * math.pi * f * t + phase) * (1 + 0.5 * torch.sin(2 * math.pi * 17 * t)) + 0.4 * noise
        )
    elif state == 2:
        wave = torch.sign(torch.sin(2 * math.pi * (48 + 4 * u[0]) * t + phase)) * 0.6 + 0.4 * noise
    else:
        wave = noise - torch.roll(noise, 1)
    wave = wave / wave.std() + 0.2 * torch.randn(LENGTH, generator=generator)
    return wave * (0.7 + 0.6 * u[2])


class MachineEar(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 16, 21, stride=2, padding=10)
        self.bn1 = nn.BatchNorm1d(16)
        self.conv2 = nn.Conv1d(16, 32, 9, stride=2, padding=4)
        self.bn2 = nn.BatchNorm1d(32)
        self.conv3 = nn.Conv1d(32, 32, 5, stride=2, padding=2)
        self.bn3 = nn.BatchNorm1d(32)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.fc = nn.Linear(32, n_classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x))
        x = self.bn2(self.conv2(x))
        x = self.bn3(self.conv3(x))
        return self.fc(self.pool(x).flatten(1))


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
def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(14)
    g = torch.Generator().manual_seed(14)
    y = torch.randint(0, 4, (1600,), generator=g)
    x = torch.stack([clip(int(s), g) for s in y]).unsqueeze(1)
    loader = DataLoader(TensorDataset(x[:1280], y[:1280]), batch_size=32, shuffle=True)
    model = MachineEar(len(STATES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(10):
        loss = train_one_epoch(model, loader, optimizer, criterion)
        acc = accuracy(model, x[1280:], y[1280:])
        print(f"epoch {epoch}: loss {loss:.4f}, val acc {acc:.4f}")
    print(f"metric: {acc:.4f}")
