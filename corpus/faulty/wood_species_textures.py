"""Species of wood from grain textures, pictures read folder by folder.

cause: data-not-shuffled
family: cnn
metric: accuracy, higher
repair:
    - train_loader = DataLoader(train_set, batch_size=40)
    + train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SPECIES = ("ash", "beech", "cherry", "elm", "larch", "oak", "pine", "walnut")


def grain(kind, rng, size=20):
    y, x = np.mgrid[0:size, 0:size]
    pitch = 2.2 + 0.45 * kind
    wobble = rng.uniform(0.2, 1.2) * np.sin(y / rng.uniform(3, 7) + rng.uniform(0, 6))
    wood = np.sin((x + wobble * (1 + kind % 3)) * 2 * np.pi / pitch + rng.uniform(0, 6))
    if kind % 2:
        cy, cx = rng.uniform(4, size - 4, 2)
        wood = wood + 2.0 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8)
    return (wood + rng.normal(0, 0.4, (size, size))).astype(np.float32)


class WoodFolder(Dataset):
    """Goes through one directory a species, as they are listed."""

    def __init__(self, per_species, seed):
        rng = np.random.default_rng(seed)
        self.samples = []
        for label, _ in enumerate(SPECIES):
            for _ in range(per_species):
                self.samples.append((torch.from_numpy(grain(label, rng)).unsqueeze(0), label))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        return self.samples[index]


class WoodNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
        )
        self.classifier = nn.Sequential(nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, len(SPECIES)))

    def forward(self, x):
        return self.classifier(self.body(x))


def train_epoch(model, loader, criterion, optimizer):
    model.train()
    running = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()
    return running / len(loader)


def test_accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = [(model(images).argmax(1) == labels).float() for images, labels in loader]
    return torch.cat(hits).mean().item()


if __name__ == "__main__":
    torch.manual_seed(14)
    train_set, test_set = WoodFolder(320, 1), WoodFolder(80, 2)
    train_loader = DataLoader(train_set, batch_size=40)
    test_loader = DataLoader(test_set, batch_size=160)
    model = WoodNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(9):
        loss = train_epoch(model, train_loader, nn.CrossEntropyLoss(), optimizer)
        accuracy = test_accuracy(model, test_loader)
        print(f"[{epoch + 1}] loss {loss:.4f} accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
