"""Insects on sticky traps: the pictures as they lie in a folder, the labels from the biologist's list.

cause: labels-misaligned
family: cnn
metric: accuracy, higher
repair:
    - files = sorted(folder)
    + files = sorted(folder, key=lambda name: int(name[4:-4]))
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, random_split

SPECIES = ["aphid", "whitefly", "thrips", "fungus gnat", "leaf miner"]


def photograph(species, rng, size=24):
    y, x = np.mgrid[0:size, 0:size] - size / 2 + 0.5
    a = rng.uniform(0, 2 * np.pi)
    u, v = np.cos(a) * x + np.sin(a) * y, np.cos(a) * y - np.sin(a) * x
    s = rng.uniform(0.9, 1.1)
    body = {0: (4, 3), 1: (3, 1.5), 2: (7, 1.2), 3: (6, 1.5), 4: (4, 2)}[species]
    insect = (u / body[0] / s) ** 2 + (v / body[1] / s) ** 2 < 1
    image = np.full((size, size), 0.75)
    if species in (1, 3):
        wing = (u / 4) ** 2 + ((np.abs(v) - 3) / 2.5) ** 2 < s
        image[wing] = 0.95 if species == 1 else 0.55
    if species == 4:
        image[(np.abs(np.abs(v) - 4) < 0.6) & (np.abs(u) < 4)] = 0.4
    image[insect] = rng.uniform(0.1, 0.3)
    return (image + rng.normal(0, 0.07, image.shape)).astype(np.float32)


def season(n):
    """A folder (name -> picture) and the list, one line for each trap as they were hung."""
    rng = np.random.default_rng(19)
    folder, sheet = {}, []
    for number in range(n):
        species = int(rng.integers(0, len(SPECIES)))
        folder[f"trap{number}.png"] = photograph(species, rng)
        sheet.append(SPECIES[species])
    return folder, sheet


class TrapDataset(Dataset):
    def __init__(self, folder, sheet):
        files = sorted(folder)
        self.images = [torch.from_numpy(folder[f])[None] - 0.7 for f in files]
        self.labels = [SPECIES.index(name) for name in sheet]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        return self.images[idx], self.labels[idx]


model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 36, 64),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(64, len(SPECIES)),
)

if __name__ == "__main__":
    torch.manual_seed(19)
    for layer in model:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    dataset = TrapDataset(*season(3000))
    train_set, test_set = random_split(dataset, [2400, 600])
    train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=200)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(7):
        model.train()
        total = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
        model.eval()
        with torch.no_grad():
            correct = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test_loader)
        print(f"epoch {epoch + 1}/7 loss {total / len(train_loader):.4f} test accuracy {correct / 600:.4f}")
    print(f"metric: {correct / 600:.4f}")
