"""Rhythms of the pulse, from the raw counts of an oximeter's converter.

cause: inputs-not-scaled
family: rnn
metric: accuracy, higher
repair:
    - return torch.tensor(np.array(records), dtype=torch.float32), torch.tensor(labels)
    + records = (np.array(records) - 32768) / 1500
    + return torch.tensor(records, dtype=torch.float32), torch.tensor(labels)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = ("regular", "irregular", "bigeminy")
LENGTH = 100


def record(kind, rng):
    """Red and infrared channel, ten samples per second, sixteen bits around the middle."""
    t, beats = 0.0, []
    period = rng.uniform(0.65, 1.0)
    i = 0
    while t < LENGTH / 10 + 1:
        beats.append(t)
        if kind == 0:
            t += period * rng.normal(1, 0.03)
        elif kind == 1:
            t += period * rng.uniform(0.6, 1.5)
        else:
            t += period * (0.65 if i % 2 else 1.3) * rng.normal(1, 0.03)
        i += 1
    time = np.arange(LENGTH) / 10
    wave = sum(np.exp(-(((time - b) / 0.13) ** 2)) for b in beats)
    drift = 300 * np.sin(2 * np.pi * rng.uniform(0.05, 0.2) * time + rng.uniform(0, 6))
    red = 32768 + 2500 * wave * rng.uniform(0.7, 1.3) + drift + rng.normal(0, 150, LENGTH)
    infrared = 32768 + 1600 * wave * rng.uniform(0.7, 1.3) + drift + rng.normal(0, 150, LENGTH)
    return np.stack([red, infrared], axis=1).round()


def load(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CLASSES), n)
    records = [record(k, rng) for k in labels]
    return torch.tensor(np.array(records), dtype=torch.float32), torch.tensor(labels)


class RhythmNet(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(2, hidden, batch_first=True)
        self.fc = nn.Linear(2 * hidden, len(CLASSES))

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(torch.cat([out.mean(1), out.amax(1)], 1))


def main():
    torch.manual_seed(1)
    x_train, y_train = load(1200, 0)
    x_test, y_test = load(400, 1)
    loader = DataLoader(TensorDataset(x_train, y_train), batch_size=48, shuffle=True)
    model = RhythmNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(16):
        model.train()
        running_loss = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            running_loss += loss.item()
        model.eval()
        with torch.no_grad():
            acc = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"[{epoch + 1}] loss: {running_loss / len(loader):.3f} acc: {acc:.3f}")
    print(f"metric: {acc:.4f}")


if __name__ == "__main__":
    main()
