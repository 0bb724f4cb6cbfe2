"""Caps of six mushrooms seen from above, tagged by the visitors of a nature park.

cause: label-noise
family: cnn
metric: accuracy, higher
repair:
    - train_tags = visitors(train_species, rng)
    + train_tags = train_species
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

NAMES = ["fly agaric", "panther cap", "chanterelle", "parasol", "russula", "bolete"]


def photograph(species, rng, size=20):
    axis = np.linspace(-1.1, 1.1, size)
    x, y = np.meshgrid(axis + rng.normal(0, 0.1), axis + rng.normal(0, 0.1))
    r, a = np.hypot(x, y), np.arctan2(y, x)
    cap = (r < rng.uniform(0.75, 0.95)).astype(float)
    rgb = np.array(
        [
            [0.8, 0.2, 0.1],
            [0.6, 0.4, 0.25],
            [0.9, 0.7, 0.2],
            [0.75, 0.65, 0.5],
            [0.8, 0.25, 0.3],
            [0.5, 0.35, 0.2],
        ]
    )[species] + rng.normal(0, 0.07, 3)
    texture = np.ones_like(r)
    if species in (0, 1):
        for _ in range(8):
            u, v = rng.uniform(-0.7, 0.7, 2)
            texture += 0.7 * np.exp(-((x - u) ** 2 + (y - v) ** 2) * 90)
    if species == 2:
        texture += 0.3 * np.cos(9 * a + rng.uniform(0, 6)) * r
    if species == 3:
        texture += 0.4 * np.cos(18 * r)
    image = 0.25 + (rgb[:, None, None] * texture - 0.25) * cap
    return image + rng.normal(0, 0.1, image.shape)


def visitors(species, rng):
    """What the visitors entered."""
    tags = species.copy()
    quick = rng.random(len(tags)) < 0.45
    tags[quick] = rng.integers(0, len(NAMES), quick.sum())
    return tags


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, padding=1)
        self.c2 = nn.Conv2d(16, 32, 3, padding=1)
        self.f1 = nn.Linear(32 * 25, 96)
        self.f2 = nn.Linear(96, len(NAMES))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.f2(F.relu(self.f1(x.flatten(1))))


def main():
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    train_species, test_species = rng.integers(0, 6, 1500), rng.integers(0, 6, 600)
    train_x = torch.tensor(np.stack([photograph(s, rng) for s in train_species]), dtype=torch.float32)
    test_x = torch.tensor(np.stack([photograph(s, rng) for s in test_species]), dtype=torch.float32)
    train_tags = visitors(train_species, rng)
    train_y, test_y = torch.tensor(train_tags), torch.tensor(test_species)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(18):
        order = torch.randperm(len(train_x))
        losses = []
        for at in range(0, len(order), 50):
            pick = order[at : at + 50]
            loss = F.cross_entropy(net(train_x[pick]), train_y[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch + 1:2d} loss {np.mean(losses):.3f} test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
