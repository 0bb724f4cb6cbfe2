"""A convolutional classifier of generated satellite tiles with an exponential schedule.

cause: learning-rate-decayed-to-zero
family: cnn
metric: accuracy, higher
repair:
    - self.optimizer.step()
    - self.scheduler.step()
    - seen += len(labels)
    + self.optimizer.step()
    + seen += len(labels)
    - print(f"epoch {epoch}: loss {total / seen:.4f}")
    + self.scheduler.step()
    + print(f"epoch {epoch}: loss {total / seen:.4f}")
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LAND = ("field", "forest", "town", "water", "road")


def tile(kind, rng, size=16):
    base = {"field": (0.5, 0.6, 0.2), "forest": (0.3, 0.45, 0.25), "town": (0.45, 0.45, 0.4)}
    base |= {"water": (0.3, 0.4, 0.45), "road": (0.45, 0.5, 0.3)}
    image = np.ones((3, size, size)) * np.array(base[kind])[:, None, None]
    yy, xx = np.mgrid[:size, :size]
    if kind == "field":
        image += 0.08 * np.sin((xx * np.cos(a := rng.uniform(0, 3.1)) + yy * np.sin(a)) * 1.5)
    elif kind == "forest":
        image += 0.10 * rng.normal(size=(1, size, size))
    elif kind == "town":
        for _ in range(6):
            r, c = rng.integers(0, size - 4, 2)
            image[:, r : r + 3, c : c + 3] += rng.uniform(-0.2, 0.25)
    elif kind == "road":
        image[:, np.abs((xx - 8) * np.cos(a := rng.uniform(0, 3.1)) + (yy - 8) * np.sin(a)) < 1.2] += 0.2
    return image + rng.normal(0, 0.12, 3)[:, None, None] + rng.normal(0, 0.06, image.shape)


def tiles(n, rng):
    kinds = rng.integers(0, len(LAND), n)
    images = np.stack([tile(LAND[k], rng) for k in kinds]) - 0.4
    return TensorDataset(torch.tensor(images, dtype=torch.float32) * 4, torch.tensor(kinds))


class Trainer:
    def __init__(self, model, train, lr=0.02, gamma=0.96):
        self.model = model
        self.loader = DataLoader(train, batch_size=32, shuffle=True)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=gamma)
        self.loss = nn.CrossEntropyLoss()

    def fit(self, epochs):
        self.model.train()
        for epoch in range(epochs):
            total, seen = 0.0, 0
            for images, labels in self.loader:
                loss = self.loss(self.model(images), labels)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                seen += len(labels)
                total += loss.item() * len(labels)
            print(f"epoch {epoch}: loss {total / seen:.4f}")

    @torch.no_grad()
    def evaluate(self, test):
        self.model.eval()
        images, labels = test.tensors
        return (self.model(images).argmax(1) == labels).float().mean().item()


def network():
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24 * 16, 48), nn.ReLU(), nn.Linear(48, len(LAND)),
    )  # fmt: skip


if __name__ == "__main__":
    torch.manual_seed(27)
    rng = np.random.default_rng(27)
    train, test = tiles(1500, rng), tiles(400, rng)
    trainer = Trainer(network(), train)
    trainer.fit(epochs=9)
    print(f"metric: {trainer.evaluate(test):.4f}")
