"""A temporal convolutional network with weight normalisation grades the rhythm of pulse recordings.

cause: parameters-not-in-optimizer
family: cnn
metric: accuracy, higher
repair:
    - trainer = Trainer(model, lr=4e-3)
    - model.apply(normalise)
    + model.apply(normalise)
    + trainer = Trainer(model, lr=4e-3)
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, TensorDataset

LENGTH = 96
GRADES = 4


def pulse(grade, rng):
    """Regular, skipping, drifting or paired beats."""
    gap, t, signal = rng.uniform(9, 13), rng.uniform(0, 8), np.zeros(LENGTH)
    k = 0
    while t < LENGTH:
        strength = rng.uniform(0.8, 1.2)
        if not (grade == 1 and rng.random() < 0.3):
            signal += strength * np.exp(-(((np.arange(LENGTH) - t) / 1.2) ** 2))
        if grade == 2:
            gap *= 1.1
        t += gap * ((0.65, 1.35)[k % 2] if grade == 3 else 1.0) + rng.normal(0, 0.4)
        k += 1
    return rng.uniform(0.5, 1.5) * signal + rng.normal(0, 0.15, LENGTH)


class Block(nn.Module):
    def __init__(self, i, o, dilation):
        super().__init__()
        self.pad = nn.ConstantPad1d((2 * dilation, 0), 0.0)
        self.conv = nn.Conv1d(i, o, 3, dilation=dilation)
        self.skip = nn.Conv1d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x):
        return torch.relu(self.conv(self.pad(x))) + self.skip(x)


def normalise(module):
    if isinstance(module, nn.Conv1d):
        weight_norm(module)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adamax(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    def epoch(self, loader):
        self.model.train()
        total = 0.0
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(loader)

    @torch.no_grad()
    def accuracy(self, x, y):
        self.model.eval()
        return (self.model(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(19)
    rng = np.random.default_rng(19)
    grades = rng.integers(0, GRADES, 1600)
    x = torch.tensor(np.stack([pulse(g, rng) for g in grades])[:, None], dtype=torch.float32)
    y = torch.tensor(grades)
    loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=32, shuffle=True)
    model = nn.Sequential(
        *[Block(i, 16, d) for i, d in ((1, 1), (16, 2), (16, 4), (16, 8))],
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(16, GRADES),
    )
    trainer = Trainer(model, lr=4e-3)
    model.apply(normalise)
    for epoch in range(15):
        loss = trainer.epoch(loader)
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: loss {loss:.4f}, accuracy {trainer.accuracy(x[1200:], y[1200:]):.4f}")
    print(f"metric: {trainer.accuracy(x[1200:], y[1200:]):.4f}")
