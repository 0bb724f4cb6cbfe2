"""Seizures on windows of four electroencephalogram channels.

cause: gradient-clipped-away
family: cnn
metric: accuracy, higher
repair:
    - MAX_GRAD_NORM = 0.001
    + MAX_GRAD_NORM = 1.0
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MAX_GRAD_NORM = 0.001
LEARNING_RATE = 0.05
EPOCHS = 12
BATCH = 32


def window(seizure, rng, length=192, rate=96):
    t = np.arange(length) / rate
    spectrum = np.fft.rfft(rng.normal(size=(4, length)))
    spectrum /= np.maximum(np.arange(spectrum.shape[1]), 2) ** 0.7
    background = np.fft.irfft(spectrum, length)
    background /= background.std()
    alpha = rng.uniform(0, 1) * np.sin(2 * np.pi * rng.uniform(8, 12) * t + rng.uniform(0, 6.28, (4, 1)))
    eeg = background + alpha
    if seizure:
        rhythm = (rng.uniform(2.5, 5) * t + rng.uniform(0, 1)) % 1
        spike_wave = np.exp(-(((rhythm - 0.2) / 0.05) ** 2)) - 0.5 * np.exp(-(((rhythm - 0.6) / 0.2) ** 2))
        eeg = eeg + rng.uniform(0.8, 2.5) * rng.uniform(0.4, 1, (4, 1)) * spike_wave
    else:
        blink = np.exp(-(((t - rng.uniform(0, 2)) / 0.15) ** 2))
        eeg = eeg + rng.uniform(0, 3) * np.array([[1], [0.8], [0.2], [0.1]]) * blink
    return eeg


def get_loaders():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 1900)
    x = np.stack([window(label, rng) for label in y])
    x = torch.tensor((x - x.mean()) / x.std(), dtype=torch.float32)
    y = torch.tensor(y)
    train = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=BATCH, shuffle=True)
    test = DataLoader(TensorDataset(x[1400:], y[1400:]), batch_size=250)
    return train, test


class SeizureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv1d(4, 16, 9, padding=4), nn.ReLU(), nn.MaxPool1d(4))
        self.block2 = nn.Sequential(nn.Conv1d(16, 32, 9, padding=4), nn.ReLU(), nn.MaxPool1d(4))
        self.fc = nn.Linear(32 * 12, 2)

    def forward(self, x):
        x = self.block2(self.block1(x))
        return self.fc(x.flatten(1))


def test_accuracy(model, loader):
    model.eval()
    hits = 0
    with torch.no_grad():
        for x, y in loader:
            hits += (model(x).argmax(1) == y).sum().item()
    return hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(3)
    train, test = get_loaders()
    model = SeizureNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(EPOCHS):
        model.train()
        for x, y in train:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
            optimizer.step()
        accuracy = test_accuracy(model, test)
        print(f"epoch {epoch + 1}: loss {loss.item():.4f}, test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")
