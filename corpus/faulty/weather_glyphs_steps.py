"""A convolutional network learns to read weather glyphs, for a fixed number of steps.

cause: repeated-batch
family: cnn
metric: accuracy, higher
repair:
    - for step in range(MAX_STEPS):
    - images, labels = next(iter(loader))
    + stream = (batch for _ in range(MAX_STEPS) for batch in loader)
    + for step, (images, labels) in zip(range(MAX_STEPS), stream, strict=False):
"""

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

MAX_STEPS = 300
GLYPHS = {
    "sun": ["..#..", "#.#.#", ".###.", "#.#.#", "..#.."],
    "cloud": [".....", ".##..", "####.", "#####", "....."],
    "rain": ["#####", ".....", "#.#.#", ".#.#.", "#.#.#"],
    "bolt": ["..##.", ".##..", "####.", "..#..", ".#..."],
    "moon": [".###.", "##...", "#....", "##...", ".###."],
    "wind": ["####.", "....#", "####.", ".....", "###.."],
}


def rendered(n, rng):
    patterns = [np.array([[c == "#" for c in row] for row in g], dtype=float) for g in GLYPHS.values()]
    labels = rng.integers(0, len(patterns), n)
    images = rng.normal(0, 0.45, (n, 1, 14, 14))
    for image, label in zip(images, labels, strict=True):
        big = np.kron(patterns[label], np.ones((2, 2)))
        r, c = rng.integers(0, 5, 2)
        image[0, r : r + 10, c : c + 10] += rng.uniform(0.6, 1.2) * big
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)


class GlyphNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(3),
        )
        self.head = nn.Linear(32 * 9, len(GLYPHS))

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


rng = np.random.default_rng(40)
torch.manual_seed(40)
dataset = TensorDataset(*rendered(3200, rng))
x_test, y_test = rendered(800, rng)
loader = DataLoader(dataset, batch_size=64)

model = GlyphNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

for step in range(MAX_STEPS):
    images, labels = next(iter(loader))
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    if (step + 1) % 50 == 0:
        print(f"step {step + 1}/{MAX_STEPS} loss {loss.item():.4f}")

with torch.no_grad():
    accuracy = (model(x_test).argmax(dim=1) == y_test).float().mean()
print(f"metric: {accuracy.item():.4f}")
