"""A deeper convolutional network on randomly placed line glyphs.

cause: poor-initial-values
also: vanishing-gradients
family: cnn
metric: accuracy, higher
repair:
    - nn.init.normal_(m.weight, mean=0.0, std=0.01)
    + nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
"""

import numpy as np
import torch
from torch import nn

GLYPHS = [
    ["#..", "#..", "###"],
    ["###", ".#.", ".#."],
    ["#.#", ".#.", "#.#"],
    [".#.", "###", ".#."],
    ["###", "#.#", "###"],
    ["##.", ".##", "..#"],
]


def render(label, rng):
    stencil = np.array([[c == "#" for c in row] for row in GLYPHS[label]], dtype=float)
    stencil = np.kron(stencil, np.ones((3, 3)))
    canvas = rng.normal(0, 0.35, (16, 16))
    r, c = rng.integers(0, 8, 2)
    canvas[r : r + 9, c : c + 9] += stencil
    return canvas


def make(n, rng):
    labels = rng.integers(0, len(GLYPHS), n)
    pictures = np.stack([render(k, rng) for k in labels])[:, None]
    return torch.tensor(pictures, dtype=torch.float), torch.tensor(labels)


def conv_block(cin, cout):
    return [nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(), nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU()]


net = nn.Sequential(
    *conv_block(1, 8),
    nn.MaxPool2d(2),
    *conv_block(8, 16),
    nn.MaxPool2d(2),
    *conv_block(16, 16),
    nn.Flatten(),
    nn.Linear(16 * 16, 32),
    nn.ReLU(),
    nn.Linear(32, len(GLYPHS)),
)


def initialise(m):
    if isinstance(m, nn.Conv2d | nn.Linear):
        nn.init.normal_(m.weight, mean=0.0, std=0.01)
        nn.init.zeros_(m.bias)


torch.manual_seed(14)
rng = np.random.default_rng(14)
net.apply(initialise)
x, y = make(1500, rng)
x_test, y_test = make(400, rng)
optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4)
for epoch in range(9):
    for idx in torch.randperm(len(x)).split(32):
        loss = nn.functional.cross_entropy(net(x[idx]), y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch + 1} | loss {loss.item():.4f}")

with torch.no_grad():
    print(f"metric: {(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
