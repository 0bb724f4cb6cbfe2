"""Types of coast on tiles of an aerial survey; the tiles come by file, the types by a table.

cause: labels-misaligned
family: cnn
metric: accuracy, higher
repair:
    - filenames = sorted(archive)
    + filenames = sorted(archive, key=lambda name: int(name[5:-4]))
"""

import csv
import io

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

TYPES = ["beach", "cliff", "marsh", "harbour"]
SIZE = 24


def draw(kind, rng):
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    turn = rng.uniform(0, 2 * np.pi)
    across = (x - 0.5) * np.cos(turn) + (y - 0.5) * np.sin(turn)
    along = (y - 0.5) * np.cos(turn) - (x - 0.5) * np.sin(turn)
    edge = across + 0.05 * np.sin(along * rng.uniform(5, 12) + rng.uniform(0, 6))
    water = edge < rng.uniform(-0.15, 0.15)
    image = np.where(water, 0.2, 0.55)
    if kind == "beach":
        image = np.where((~water) & (edge < edge[~water].min() + 0.16), 0.9, image)
    elif kind == "cliff":
        image = np.where((~water) & (edge < edge[~water].min() + 0.1), 0.05, image)
    elif kind == "marsh":
        image = image + 0.25 * (rng.random(image.shape) < 0.35) * (edge > -0.2)
    else:
        piers = (np.sin(along * 28 + rng.uniform(0, 6)) > 0.2) & water & (edge > edge[water].max() - 0.2)
        image = np.where(piers, 0.6, image)
    return ((image + rng.normal(0, 0.05, image.shape)).clip(0, 1) * 255).astype(np.uint8)


def survey(n, seed):
    """The archive of pictures, and the surveyors' table, one row for each tile."""
    rng = np.random.default_rng(seed)
    archive, table = {}, io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["tile", "type"])
    for number in range(1, n + 1):
        kind = TYPES[rng.integers(0, len(TYPES))]
        archive[f"tile_{number}.png"] = draw(kind, rng)
        writer.writerow([number, kind])
    return archive, table.getvalue()


def load(archive, table):
    filenames = sorted(archive)
    images = np.stack([archive[name] for name in filenames])
    labels = [TYPES.index(row["type"]) for row in csv.DictReader(io.StringIO(table))]
    x = torch.from_numpy(images).float().div(255).sub(0.45).div(0.25).unsqueeze(1)
    return TensorDataset(x, torch.tensor(labels))


torch.manual_seed(123)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.BatchNorm2d(32),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(3),
    nn.Flatten(),
    nn.Linear(32 * 9, len(TYPES)),
)

if __name__ == "__main__":
    dataset = load(*survey(1800, seed=2024))
    train_set, val_set = torch.utils.data.random_split(dataset, [1500, 300])
    train_dl = DataLoader(train_set, batch_size=50, shuffle=True)
    val_dl = DataLoader(val_set, batch_size=100)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    for epoch in range(12):
        model.train()
        losses = []
        for xb, yb in train_dl:
            optimizer.zero_grad()
            loss = criterion(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            accuracy = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in val_dl) / 300
        print(f"epoch {epoch + 1}/12 - loss: {np.mean(losses):.4f} - val_accuracy: {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
