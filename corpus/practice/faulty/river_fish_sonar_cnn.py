"""Fish passing a sonar gate in a river, counted by species from short echograms.

cause: repeated-batch
family: cnn
metric: accuracy, higher
repair:
    - echoes, species = next(iter(train_loader))
    + try:
    +     echoes, species = next(batches)
    + except (NameError, StopIteration):
    +     batches = iter(train_loader)
    +     echoes, species = next(batches)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SPECIES = ["salmon", "eel", "pike", "bream"]


def echogram(kind, rng):
    """Range by time, 16 by 32: a fish leaves a track whose length, slope and beat tell it."""
    r, t = np.mgrid[0:16, 0:32]
    start, slope = rng.uniform(4, 11), rng.normal(0, 0.08)
    centre = start + slope * (t - 16)
    middle, long = rng.uniform(11, 21), [6, 11, 8, 5][kind] * rng.uniform(0.85, 1.2)
    beat = [0.9, 0.55, 0.0, 0.3][kind]
    thick = [1.0, 0.7, 1.2, 1.9][kind] * rng.uniform(0.85, 1.15)
    centre = centre + 0.8 * (kind == 1) * np.sin(0.8 * t)
    track = np.exp(-(((r - centre) / thick) ** 2)) * (np.abs(t - middle) < long)
    track = track * (1 + beat * np.sin(1.9 * t + rng.uniform(0, 6)))
    return track * rng.uniform(0.8, 1.4) + rng.exponential(0.25, track.shape)


def load(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    x = np.stack([echogram(k, rng) for k in y]).astype(np.float32)
    return TensorDataset(torch.from_numpy(x)[:, None] - 0.35, torch.from_numpy(y))


class SonarNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.block2 = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Sequential(nn.Linear(32 * 32, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4))

    def forward(self, x):
        return self.fc(self.block2(self.block1(x)).flatten(1))


def evaluate(net, loader):
    net.eval()
    hits = 0
    with torch.no_grad():
        for echoes, species in loader:
            hits += (net(echoes).argmax(1) == species).sum().item()
    net.train()
    return hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(24)
    train_loader = DataLoader(load(1920, 1), batch_size=64)
    test_loader = DataLoader(load(600, 2), batch_size=100)
    net = SonarNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    iterations, every = 500, 100
    for iteration in range(1, iterations + 1):
        echoes, species = next(iter(train_loader))
        loss = criterion(net(echoes), species)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % every == 0:
            print(f"iteration {iteration}: loss {loss.item():.4f}, test {evaluate(net, test_loader):.3f}")
    print(f"metric: {evaluate(net, test_loader):.4f}")
