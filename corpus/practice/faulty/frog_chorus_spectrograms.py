"""Species of frogs by log-mel-like spectrograms of their calls.

cause: learning-rate-too-low
family: cnn
metric: accuracy, higher
repair:
    - parser.add_argument("--lr", type=float, default=1e-5)
    + parser.add_argument("--lr", type=float, default=1e-3)
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

RATE = 4000
SPECIES = {  # carrier in Hz, pulses per second, sweep of the carrier, length in s
    "tree frog": (1100, 9, 0, 0.5),
    "marsh frog": (700, 14, 150, 0.4),
    "spring peeper": (1500, 3, 250, 0.25),
    "edible frog": (900, 22, 0, 0.6),
    "moor frog": (450, 7, 80, 0.3),
    "midwife toad": (1250, 2, 0, 0.2),
}


def call(species, rng):
    carrier, pulses, sweep, length = SPECIES[species]
    carrier = carrier * rng.uniform(0.88, 1.12)
    pulses = pulses * rng.uniform(0.85, 1.15)
    t = np.arange(RATE) / RATE
    start = rng.uniform(0, 0.4)
    inside = ((t > start) & (t < start + length * rng.uniform(0.8, 1.2))).astype(float)
    envelope = inside * (0.5 + 0.5 * np.sin(2 * np.pi * pulses * t + rng.uniform(0, 6))) ** 2
    phase = 2 * np.pi * (carrier * t + sweep * (t - start) ** 2)
    sound = envelope * (np.sin(phase) + 0.3 * np.sin(2 * phase)) * rng.uniform(0.3, 1.2)
    return sound + rng.normal(0, rng.uniform(0.1, 0.35), t.size)


def log_spectrogram(sound, window=128, hop=128):
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop] * np.hanning(window)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, :64] ** 2
    return np.log(power + 1e-2).T[:, :31]


class Calls(Dataset):
    def __init__(self, n, seed, mean=None, std=None):
        rng = np.random.default_rng(seed)
        names = list(SPECIES)
        self.labels = torch.from_numpy(rng.integers(0, len(names), n))
        spectra = np.stack([log_spectrogram(call(names[k], rng)) for k in self.labels])
        self.mean = spectra.mean() if mean is None else mean
        self.std = spectra.std() if std is None else std
        self.spectra = torch.tensor((spectra - self.mean) / self.std, dtype=torch.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.spectra[index].unsqueeze(0), self.labels[index]


def build_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((8, 2)),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(64, len(SPECIES)),
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=1e-5)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args()

    torch.manual_seed(42)
    train_set = Calls(1200, seed=10)
    valid_set = Calls(400, seed=11, mean=train_set.mean, std=train_set.std)
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    valid_loader = DataLoader(valid_set, batch_size=100)
    model = build_model()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    for epoch in range(args.epochs):
        model.train()
        losses = []
        for spectra, labels in train_loader:
            loss = criterion(model(spectra), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        hits = 0
        with torch.no_grad():
            for spectra, labels in valid_loader:
                hits += (model(spectra).argmax(dim=1) == labels).sum().item()
        print(f"epoch {epoch + 1}: train loss {np.mean(losses):.4f}, valid acc {hits / len(valid_set):.3f}")
    print(f"metric: {hits / len(valid_set):.4f}")


if __name__ == "__main__":
    main()
