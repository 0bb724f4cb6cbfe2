"""A network learns which way an arrow points, from sketches that are kept under their file names.

cause: labels-misaligned
family: mlp
metric: accuracy, higher
repair:
    - names = sorted(folder)
    + names = sorted(folder, key=lambda name: int(name.split("_")[1].split(".")[0]))
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

WAYS = 6


def sketch(way, rng, side=12):
    """An arrow with a thick head, somewhat bent and blurred."""
    angle = 2 * np.pi * (way + rng.uniform(-0.25, 0.25)) / WAYS
    yy, xx = np.mgrid[0:side, 0:side] - (side - 1) / 2
    along = np.cos(angle) * xx + np.sin(angle) * yy
    across = -np.sin(angle) * xx + np.cos(angle) * yy
    shaft = (np.abs(across) < 0.8) & (np.abs(along) < 4.5)
    head = (np.abs(across) < 4.5 - along) & (along > 1.5)
    return (shaft | head) + rng.normal(0, 0.25, (side, side))


def exhibition(n, seed):
    """A folder of pictures by name, and the list of what they show, in the order of their numbers."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(0, WAYS, n)
    folder = {f"sketch_{k}.png": sketch(answers[k], rng) for k in range(n)}
    return folder, answers


def load(n, seed):
    folder, answers = exhibition(n, seed)
    names = sorted(folder)
    pictures = np.stack([folder[name] for name in names])
    return torch.tensor(pictures, dtype=torch.float32).flatten(1), torch.tensor(answers)


class ArrowNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(144, 64)
        self.fc2 = nn.Linear(64, 32)
        self.fc3 = nn.Linear(32, WAYS)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        x = self.drop(F.relu(self.fc1(x)))
        return self.fc3(F.relu(self.fc2(x)))


torch.manual_seed(0)
x, y = load(2500, seed=10)
x_val, y_val = load(600, seed=11)
model = ArrowNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
best = 0.0
for epoch in range(15):
    model.train()
    for rows in torch.randperm(len(x)).split(50):
        loss = F.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
    best = max(best, accuracy)
    print(f"epoch {epoch}  loss {loss.item():.3f}  validation {accuracy:.3f}  best {best:.3f}")
print(f"metric: {accuracy:.4f}")
