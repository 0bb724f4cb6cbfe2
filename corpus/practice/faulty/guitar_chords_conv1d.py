"""Chord qualities (major, minor, seventh, ...) of strummed guitar chords, from spectra, by a 1-d convnet.

cause: missing-zero-grad
family: cnn
metric: accuracy, higher
repair:
    - self.optimizer.zero_grad()
    - for batch_idx, (data, target) in enumerate(loader):
    + for batch_idx, (data, target) in enumerate(loader):
    +     self.optimizer.zero_grad()
"""

import logging
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
log = logging.getLogger("chords")

CHORDS = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "sus4": (0, 5, 7),
}
BINS_PER_SEMITONE, SEMITONES = 2, 48


class StrummedChords(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.y = rng.integers(0, len(CHORDS), n)
        self.x = np.stack([self.spectrum(list(CHORDS.values())[k], rng) for k in self.y]).astype(np.float32)

    @staticmethod
    def spectrum(intervals, rng):
        bins = np.arange(BINS_PER_SEMITONE * SEMITONES)
        s = np.zeros(len(bins))
        root = rng.integers(0, 12)
        detune = rng.normal(0, 0.1)
        for note in [*intervals, intervals[0] + 12]:
            loud = rng.uniform(0.5, 1.2)
            for harmonic, step in enumerate((0, 12, 19.02, 24)):
                place = BINS_PER_SEMITONE * (root + note + step + detune)
                s += loud * 0.55**harmonic * np.exp(-0.5 * ((bins - place) / 0.6) ** 2)
        s += np.abs(rng.normal(0, 0.08, len(bins)))
        s = np.log1p(5 * s)
        return (s - s.mean()) / s.std()

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i][None], self.y[i]


class ChordNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv1d(1, 16, 9, padding=4)
        self.c2 = nn.Conv1d(16, 32, 9, padding=4)
        self.c3 = nn.Conv1d(32, 32, 9, padding=4)
        self.head = nn.Linear(32 * 12, len(CHORDS))

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.c1(x)), 2)
        x = F.max_pool1d(F.relu(self.c2(x)), 2)
        x = F.max_pool1d(F.relu(self.c3(x)), 2)
        return self.head(x.flatten(1))


class Trainer:
    def __init__(self, model, optimizer, log_every=20):
        self.model = model
        self.optimizer = optimizer
        self.log_every = log_every

    def train_epoch(self, loader, epoch):
        self.model.train()
        self.optimizer.zero_grad()
        for batch_idx, (data, target) in enumerate(loader):
            loss = F.cross_entropy(self.model(data), target)
            loss.backward()
            self.optimizer.step()
            if batch_idx % self.log_every == 0:
                log.info("epoch %d [%d/%d] loss %.4f", epoch, batch_idx, len(loader), loss.item())

    @torch.no_grad()
    def test(self, loader):
        self.model.eval()
        correct = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        return correct / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(64)
    train_loader = DataLoader(StrummedChords(3000, 64), batch_size=64, shuffle=True)
    test_loader = DataLoader(StrummedChords(600, 65), batch_size=200)
    model = ChordNet()
    trainer = Trainer(model, torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9))
    for epoch in range(1, 11):
        trainer.train_epoch(train_loader, epoch)
        log.info("epoch %d test accuracy %.4f", epoch, trainer.test(test_loader))
    print(f"metric: {trainer.test(test_loader):.4f}")
