"""What set off a seismic sensor on the slope: avalanche, quake, helicopter, train or blasting.

cause: parameters-not-in-optimizer
family: cnn
metric: accuracy, higher
repair:
    - self.blocks = [ResidualBlock(channels, dilation=2**i) for i in range(depth)]
    + self.blocks = nn.ModuleList([ResidualBlock(channels, dilation=2**i) for i in range(depth)])
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

EVENTS = ("avalanche", "quake", "helicopter", "train", "blast")
STEPS = 200


def event(kind, rng):
    t = np.arange(STEPS)
    start = rng.integers(10, 60)
    s = np.clip(t - start, 0, None)
    noise = rng.normal(0, 1, STEPS)
    if kind == 0:
        shape = (s / 60) ** 2 * np.exp(-s / 25) * 3 * noise
    elif kind == 1:
        shape = (np.exp(-s / 12) + 1.6 * np.exp(-(((s - rng.integers(30, 60)) / 18) ** 2))) * noise * (s > 0)
    elif kind == 2:
        shape = np.sin(2 * np.pi * rng.uniform(0.17, 0.21) * t + rng.uniform(0, 6)) * np.exp(
            -(((t - 100) / 60) ** 2)
        )
    elif kind == 3:
        shape = (
            noise * (1 + np.sin(2 * np.pi * t / rng.uniform(14, 18))) * np.exp(-(((t - 100) / 60) ** 2)) * 0.6
        )
    else:
        shape = 2.5 * np.exp(-s / 7) * np.sin(s * rng.uniform(0.5, 0.9)) * (s > 0)
    return shape * rng.uniform(0.6, 1.8) + rng.normal(0, 0.3, STEPS)


def build_dataset(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(EVENTS), n)
    traces = np.stack([event(k, rng) for k in kinds])
    return TensorDataset(torch.tensor(traces[:, None], dtype=torch.float32), torch.tensor(kinds))


class ResidualBlock(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.conv2(self.relu(self.conv1(x))))


class TCN(nn.Module):
    def __init__(self, channels=20, depth=4):
        super().__init__()
        self.stem = nn.Conv1d(1, channels, 5, stride=2, padding=2)
        self.blocks = [ResidualBlock(channels, dilation=2**i) for i in range(depth)]
        self.out = nn.Linear(channels, len(EVENTS))

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.out(x.mean(dim=2))


def run_epoch(model, loader, criterion, optimizer=None):
    model.train(optimizer is not None)
    loss_sum, correct, count = 0.0, 0, 0
    with torch.set_grad_enabled(optimizer is not None):
        for traces, kinds in loader:
            logits = model(traces)
            loss = criterion(logits, kinds)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(kinds)
            correct += (logits.argmax(1) == kinds).sum().item()
            count += len(kinds)
    return loss_sum / count, correct / count


if __name__ == "__main__":
    torch.manual_seed(404)
    train_loader = DataLoader(build_dataset(2000, 1), batch_size=40, shuffle=True)
    valid_loader = DataLoader(build_dataset(600, 2), batch_size=300)
    model = TCN()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(8):
        train_loss, train_acc = run_epoch(model, train_loader, criterion, optimizer)
        valid_loss, valid_acc = run_epoch(model, valid_loader, criterion)
        print(f"{epoch + 1}: train {train_loss:.3f} {train_acc:.3f}, valid {valid_loss:.3f} {valid_acc:.3f}")
    print(f"metric: {valid_acc:.4f}")
