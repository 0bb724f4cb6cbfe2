"""Five bird species of very different abundance, drawn evenly by a weighted sampler.

family: cnn
metric: mean recall over the species, higher
"""

import math

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

ABUNDANCE = [1800, 700, 250, 80, 40]


class Calls(Dataset):
    """Short whistles as 12x16 spectrograms (pitch by time); each species has its own melody."""

    def __init__(self, counts, seed):
        g = torch.Generator().manual_seed(seed)
        self.species = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        n = len(self.species)
        t = torch.linspace(0, 1, 16)
        s = self.species[:, None]
        start = 4.5 + 2 * torch.rand(n, 1, generator=g)
        swing = 2.5 + torch.rand(n, 1, generator=g)
        rising, falling = start - 2 + 2 * swing * t - swing / 2, start + 2 - 2 * swing * t + swing / 2
        arch = start + swing * torch.sin(math.pi * t)
        cup = start - swing * (torch.sin(math.pi * t) - 0.5)
        trill = start + swing * torch.sin(4 * math.pi * t)
        pitch = torch.where(s == 0, rising, torch.where(s == 1, falling, torch.where(s == 2, arch, cup)))
        pitch = torch.where(s == 4, trill, pitch)
        rows = torch.arange(12.0)[None, :, None]
        sound = torch.exp(-((rows - pitch[:, None, :]) ** 2))
        self.pictures = (sound + 0.6 * torch.randn(n, 12, 16, generator=g)).unsqueeze(1)

    def __len__(self):
        return len(self.species)

    def __getitem__(self, i):
        return self.pictures[i], self.species[i]


def recall(model, dataset):
    model.eval()
    with torch.no_grad():
        guess = model(dataset.pictures).argmax(1)
    each = [(guess[dataset.species == k] == k).float().mean().item() for k in range(5)]
    model.train()
    return each


if __name__ == "__main__":
    torch.manual_seed(19)
    train, test = Calls(ABUNDANCE, 0), Calls([150] * 5, 1)
    rarity = 1 / torch.tensor(ABUNDANCE, dtype=torch.double)
    sampler = WeightedRandomSampler(rarity[train.species], num_samples=2400, replacement=True)
    loader = DataLoader(train, batch_size=40, sampler=sampler)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d((3, 4)),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 12, 5),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    for epoch in range(7):
        total = 0.0
        for pictures, species in loader:
            loss = nn.functional.cross_entropy(model(pictures), species)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / len(loader):.4f}", " ".join(f"{r:.3f}" for r in recall(model, test)))
    print(f"metric: {sum(recall(model, test)) / 5:.4f}")
