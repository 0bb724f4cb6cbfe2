"""Rock types along a drill core from well logs, with mixup and smoothed labels.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ROCKS = ["sandstone", "shale", "limestone", "dolomite", "coal"]


def logs(n, seed, length=24):
    """Four logs (gamma, density, sound, resistivity) around the depth whose rock is asked for."""
    rng = np.random.default_rng(seed)
    means = [[0.3, 0.4, 0.5, 0.6], [1.0, 0.5, 0.8, 0.2], [0.2, 0.7, 0.3, 0.8], [0.25, 0.85, 0.25, 0.9]]
    means = np.array([*means, [0.4, 0.0, 1.2, 1.0]])
    texture = np.array([0.10, 0.05, 0.06, 0.12, 0.05])
    rock = rng.integers(0, 5, n)
    x = np.empty((n, 4, length), np.float32)
    for i in range(n):
        other = rng.integers(0, 5, 2)
        top, base = rng.integers(0, 8), rng.integers(16, 24)
        column = np.full(length, rock[i])
        column[:top], column[base:] = other
        curve = means[column].T + rng.normal(0, 1, (4, length)) * texture[column]
        curve = np.stack([np.convolve(c, [0.25, 0.5, 0.25], "same") for c in curve])
        x[i] = curve + rng.normal(0, 0.12, (4, 1)) + rng.normal(0, 0.08, (4, length))
    return torch.from_numpy((x - 0.55) / 0.35), torch.from_numpy(rock)


class CoreNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(4, 32, 5, padding=2)
        self.convs = nn.ModuleList(nn.Conv1d(32, 32, 3, padding=1) for _ in range(3))
        self.norms = nn.ModuleList(nn.BatchNorm1d(32) for _ in range(3))
        self.head = nn.Linear(32 * 6, len(ROCKS))
        self.pool = nn.MaxPool1d(4)

    def forward(self, x):
        x = self.stem(x)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + conv(torch.relu(norm(x)))
        return self.head(self.pool(torch.relu(x)).flatten(1))


def main():
    torch.manual_seed(73)
    loader = DataLoader(TensorDataset(*logs(2500, 1)), batch_size=50, shuffle=True)
    x_test, y_test = logs(1000, 2)
    net = CoreNet()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    beta = torch.distributions.Beta(0.3, 0.3)
    for epoch in range(10):
        net.train()
        total = 0.0
        for x, y in loader:
            share = beta.sample().item()
            other = torch.randperm(len(x))
            logits = net(share * x + (1 - share) * x[other])
            loss = share * criterion(logits, y) + (1 - share) * criterion(logits, y[other])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, test accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
