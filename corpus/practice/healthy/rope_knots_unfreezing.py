"""Knots in photographs of ropes: a network trained on drawn curves, unfrozen layer by layer from the top.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def draw(a, b, phase, rng, noise):
    t = np.linspace(0, 2 * np.pi, 90)
    turn, s = rng.uniform(0, np.pi), rng.uniform(6, 8.5)
    x, y = np.sin(a * t + phase), np.sin(b * t)
    x, y = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    image = np.zeros((24, 24))
    image[(12 + s * y).astype(int).clip(0, 23), (12 + s * x).astype(int).clip(0, 23)] = 1
    return image + rng.normal(0, noise, image.shape)


def curves(n, rng):
    kinds = [
        (1, 1, 1.5),
        (1, 2, 0),
        (1, 2, 1.5),
        (2, 3, 0.5),
        (1, 3, 0),
        (3, 4, 0.5),
        (1, 4, 0.4),
        (3, 2, 1.2),
    ]
    y = rng.integers(0, len(kinds), n)
    return TensorDataset(tensor([draw(*kinds[k], rng, 0.1) for k in y]), torch.tensor(y))


def ropes(n, rng):
    kinds = [(1, 2, 0.6), (2, 3, 1.1), (3, 4, 0.0), (1, 3, 0.9), (2, 5, 0.5)]
    y = rng.integers(0, len(kinds), n)
    return TensorDataset(tensor([draw(*kinds[k], rng, 0.25) for k in y]), torch.tensor(y))


def tensor(images):
    return torch.tensor(np.stack(images), dtype=torch.float32)[:, None]


class KnotNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.stage2 = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.stage3 = nn.Sequential(nn.Conv2d(32, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(48 * 9, classes)

    def forward(self, x):
        return self.fc(self.stage3(self.stage2(self.stage1(x))).flatten(1))


def train(model, parameters, loader, epochs):
    optimizer = torch.optim.Adam(parameters)
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
    return loss.item()


def accuracy(model, data):
    x, y = data.tensors
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(21)
    rng = np.random.default_rng(21)
    model = KnotNet(8)
    loader = DataLoader(curves(2000, rng), batch_size=50, shuffle=True)
    train(model, [{"params": model.parameters(), "lr": 1.5e-3}], loader, epochs=5)

    model.fc = nn.Linear(48 * 9, 5)
    model.requires_grad_(False)
    loader, test = DataLoader(ropes(900, rng), batch_size=30, shuffle=True), ropes(500, rng)
    groups = []
    for name, lr in [("fc", 2e-3), ("stage3", 1e-3), ("stage2", 5e-4)]:
        part = getattr(model, name).requires_grad_(True)
        groups.append({"params": list(part.parameters()), "lr": lr})
        loss = train(model, groups, loader, epochs=4)
        print(f"{name} released: loss {loss:.3f} test {accuracy(model, test):.3f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main()
