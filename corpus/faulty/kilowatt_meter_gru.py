"""Which machine is running, from the watts that a workshop's meter shows.

cause: inputs-not-scaled
also: saturated-units
family: rnn
metric: accuracy, higher
repair:
    - return torch.tensor(watts, dtype=torch.float32)[..., None], torch.tensor(machine)
    + watts = (watts - 2000) / 700
    + return torch.tensor(watts, dtype=torch.float32)[..., None], torch.tensor(machine)
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

MACHINES = ["lathe", "press", "saw", "compressor", "dryer"]


def record(n, seed, length=48):
    """Five-second readings over the workshop's other load, which changes from hour to hour."""
    rng = np.random.default_rng(seed)
    machine = rng.integers(0, len(MACHINES), n)
    t = np.arange(length)
    watts = np.empty((n, length))
    for i, kind in enumerate(machine):
        shift = rng.uniform(0, 20)
        if kind == 0:
            load = 600 + 150 * np.sin(2 * np.pi * (t + shift) / 6)
        elif kind == 1:
            load = 1500.0 * ((t + shift) % 12 < 2)
        elif kind == 2:
            load = 900 * np.exp(-((t + shift) % 16) / 4) + 300
        elif kind == 3:
            load = 800.0 * ((t + shift) % 20 < 10)
        else:
            load = 500 + 20 * t
        watts[i] = rng.uniform(800, 2500) + rng.uniform(0.6, 1.2) * load + rng.normal(0, 110, length)
    return torch.tensor(watts, dtype=torch.float32)[..., None], torch.tensor(machine)


class MeterGRU(nn.Module):
    def __init__(self, hidden=64, layers=1):
        super().__init__()
        self.gru = nn.GRU(1, hidden, layers, batch_first=True)
        self.fc = nn.Linear(hidden, len(MACHINES))

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out[:, -1, :])


def check_accuracy(loader, model):
    model.eval()
    correct = samples = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            samples += len(y)
    model.train()
    return correct / samples


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(TensorDataset(*record(2400, seed=1)), batch_size=64, shuffle=True)
    test_loader = DataLoader(TensorDataset(*record(600, seed=2)), batch_size=300)
    model = MeterGRU()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    for epoch in range(8):
        for data, targets in train_loader:
            scores = model(data)
            loss = criterion(scores, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"Epoch {epoch}: loss {loss.item():.3f}, accuracy {check_accuracy(test_loader, model):.3f}")
    print(f"metric: {check_accuracy(test_loader, model):.4f}")
