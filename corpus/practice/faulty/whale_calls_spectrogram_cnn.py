"""Calls of whales in a hydrophone's spectrograms: background, fin, humpback, minke and right whale.

cause: class-imbalance
family: cnn
metric: macro_recall, higher
repair:
    - loader = DataLoader(train_set, batch_size=64, shuffle=True)
    + weights = (1.0 / torch.bincount(train_set.labels).float())[train_set.labels]
    + sampler = torch.utils.data.WeightedRandomSampler(weights, len(train_set))
    + loader = DataLoader(train_set, batch_size=64, sampler=sampler)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

BANDS, FRAMES = 24, 32
SHARES = [0.9, 0.06, 0.02, 0.012, 0.008]


class Hydrophone(Dataset):
    def __init__(self, n, shares, seed):
        rng = np.random.default_rng(seed)
        labels = rng.choice(len(shares), n, p=shares)
        self.spectra = torch.tensor(np.stack([self.listen(k, rng) for k in labels]), dtype=torch.float32)
        self.labels = torch.tensor(labels)

    @staticmethod
    def listen(kind, rng):
        band, frame = np.mgrid[0:BANDS, 0:FRAMES].astype(float)
        level = rng.gumbel(0, 0.5, (BANDS, FRAMES)) + 0.4 * np.exp(-band / 6)
        start, base = rng.uniform(3, 14), rng.uniform(5, 9)
        t = frame - start
        on = (t > 0) & (t < 14)
        if kind == 0:
            if rng.random() < 0.3:  # a passing ship
                level += 0.9 * np.exp(-(((band - rng.uniform(3, 15)) / 1.0) ** 2))
            return level[None]
        if kind == 1:
            track, on = base - 2 - 0.15 * t, on & (t < 6)
        elif kind == 2:
            track = base + 4 + 2.5 * np.sin(t / 2)
        elif kind == 3:
            track, on = base + 2 + 0 * t, on & (np.floor(t / 2) % 2 == 0)
        else:
            track = base + 0.06 * t**2
        level += rng.uniform(0.9, 1.7) * on * np.exp(-(((band - track) / 1.1) ** 2))
        return level[None]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.spectra[index], self.labels[index]


class CallNet(nn.Sequential):
    def __init__(self, n_classes=5):
        super().__init__(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.4),
            nn.Linear(24 * 6 * 8, n_classes),
        )


def recalls(net, dataset):
    net.eval()
    with torch.no_grad():
        guess = net(dataset.spectra).argmax(1)
    return [(guess[dataset.labels == k] == k).float().mean().item() for k in range(5)]


if __name__ == "__main__":
    torch.manual_seed(17)
    train_set = Hydrophone(2500, SHARES, 1)
    test_set = Hydrophone(600, [0.2] * 5, 2)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    net = CallNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-4, weight_decay=0.01)
    for epoch in range(10):
        net.train()
        right = 0
        for spectra, labels in loader:
            logits = net(spectra)
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += (logits.argmax(1) == labels).sum().item()
        each = " ".join(f"{r:.2f}" for r in recalls(net, test_set))
        print(f"epoch {epoch + 1}: train accuracy {right / len(train_set):.3f}, recall by species {each}")
    print(f"metric: {np.mean(recalls(net, test_set)):.4f}")
