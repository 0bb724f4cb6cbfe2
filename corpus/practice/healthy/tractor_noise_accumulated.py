"""Which tractor drives past, from raw sound, by convolutions; gradients are summed over small batches.

family: cnn
metric: accuracy, higher
"""

import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Passes(Dataset):
    """Half-second recordings; a model has its number of cylinders, exhaust and gearbox whine."""

    MODELS = ((2, 0.9, 0.0), (3, 0.5, 0.3), (4, 0.7, 0.0), (4, 0.3, 0.6), (6, 0.5, 0.2))

    def __init__(self, n, seed, rate=1024):
        rng = np.random.default_rng(seed)
        self.kinds = rng.integers(0, len(self.MODELS), n)
        t = np.arange(rate // 2) / rate
        waves = []
        for kind in self.kinds:
            cylinders, bark, whine = self.MODELS[kind]
            turns = rng.uniform(14, 20)
            phase = 2 * math.pi * (turns * t + 1.5 * rng.uniform(-1, 1) * t**2) + rng.uniform(0, 6.3)
            wave = np.sin(cylinders * phase / 2) + bark * np.sin(cylinders * phase + rng.uniform(0, 0.5))
            wave += whine * np.sin(13 * phase) + 0.4 * np.sin(phase / 2)
            envelope = np.exp(-(((t - rng.uniform(0.1, 0.4)) / 0.3) ** 2))
            waves.append(wave * envelope * rng.uniform(0.6, 1.3) + rng.normal(0, 0.4, len(t)))
        self.waves = torch.tensor(np.stack(waves), dtype=torch.float32).unsqueeze(1)
        self.kinds = torch.tensor(self.kinds)

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.waves[i], self.kinds[i]


class TractorNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, 31, stride=2, padding=15), nn.GroupNorm(4, 16), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(16, 32, 15, stride=2, padding=7), nn.GroupNorm(4, 32), nn.ReLU(), nn.MaxPool1d(2),
            nn.Conv1d(32, 32, 7, padding=3), nn.GroupNorm(4, 32), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(64, 5)

    def forward(self, x):
        h = self.body(x)
        return self.head(torch.cat([h.mean(2), h.amax(2)], 1))


def main():
    torch.manual_seed(97)
    loader = DataLoader(Passes(1200, 1), batch_size=12, shuffle=True)
    test = DataLoader(Passes(400, 2), batch_size=100)
    net = TractorNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    accumulate = 4
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=6e-3, total_steps=10 * len(loader) // accumulate
    )
    for epoch in range(10):
        net.train()
        total = 0.0
        for k, (wave, kind) in enumerate(loader):
            loss = nn.functional.cross_entropy(net(wave), kind)
            (loss / accumulate).backward()
            total += loss.item()
            if (k + 1) % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
                scheduler.step()
        net.eval()
        with torch.no_grad():
            accuracy = sum((net(w).argmax(1) == y).sum().item() for w, y in test) / 400
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
