"""A backbone learns the texture of sea floors; frozen, it serves a new head for corals with few pictures.

family: fine-tuning
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def textures(n, kinds, seed, size=20):
    """Pictures of a texture; a kind is a wavelength, an orientation and a roundness."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size]
    label = rng.integers(0, len(kinds), n)
    pictures = np.empty((n, 1, size, size), np.float32)
    for i, k in enumerate(label):
        wavelength, angle, roundness = kinds[k]
        a = angle + rng.normal(0, 0.12)
        u = (columns * np.cos(a) + rows * np.sin(a)) / wavelength * rng.uniform(0.9, 1.1) + rng.uniform(0, 1)
        v = (rows * np.cos(a) - columns * np.sin(a)) / wavelength + rng.uniform(0, 1)
        picture = np.sin(2 * np.pi * u) * (1 - roundness + roundness * np.sin(2 * np.pi * v))
        pictures[i, 0] = picture * rng.uniform(0.6, 1.2) + rng.normal(0, 0.5, picture.shape)
    return torch.from_numpy(pictures), torch.from_numpy(label)


SEA_FLOORS = [(w, a, r) for w in (3, 5, 8) for a in (0.0, 0.8, 1.6, 2.4) for r in (0, 0.9)]
CORALS = [(4, 0.4, 0), (4, 1.2, 0.9), (6.5, 2.0, 0), (6.5, 0.2, 0.9), (3.4, 2.0, 0)]


def backbone():
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 48, 3, padding=1), nn.BatchNorm2d(48), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip


def fit(features, head, loader, optimizer, epochs, frozen):
    for epoch in range(epochs):
        features.train(not frozen)
        total = 0.0
        for x, y in loader:
            loss = nn.functional.cross_entropy(head(features(x)), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"  epoch {epoch + 1}: loss {total / len(loader):.4f}")


if __name__ == "__main__":
    torch.manual_seed(28)
    features = backbone()
    head = nn.Linear(48, len(SEA_FLOORS))
    loader = DataLoader(TensorDataset(*textures(1500, SEA_FLOORS, 1)), batch_size=50, shuffle=True)
    optimizer = torch.optim.Adam([*features.parameters(), *head.parameters()], lr=3e-3)
    print("sea floors")
    fit(features, head, loader, optimizer, 4, frozen=False)

    for p in features.parameters():
        p.requires_grad_(False)
    features.eval()
    coral_head = nn.Linear(48, len(CORALS))
    loader = DataLoader(TensorDataset(*textures(200, CORALS, 2)), batch_size=20, shuffle=True)
    optimizer = torch.optim.Adam(coral_head.parameters(), lr=1e-2)
    print("corals")
    fit(features, coral_head, loader, optimizer, 20, frozen=True)

    x, y = textures(600, CORALS, 3)
    with torch.no_grad():
        accuracy = (coral_head(features(x)).argmax(1) == y).float().mean().item()
    print(f"metric: {accuracy:.4f}")
