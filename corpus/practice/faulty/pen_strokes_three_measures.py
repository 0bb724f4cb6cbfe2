"""Ink, slant and height of the centre of handwritten digits, read from the scans by one network with heads.

cause: loss-broadcast
family: cnn
metric: mean R², higher
repair:
    - targets = batch["measures"].unbind(dim=1)
    + targets = batch["measures"].split(1, dim=1)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset

MEASURES = ("ink", "slant", "centre")


def measure(images):
    rows, columns = np.mgrid[0:8, 0:8] - 3.5
    ink = images.sum((1, 2))
    x0 = (images * columns).sum((1, 2)) / ink
    y0 = (images * rows).sum((1, 2)) / ink
    dx, dy = columns - x0[:, None, None], rows - y0[:, None, None]
    slant = (images * dx * dy).sum((1, 2)) / (images * dy**2).sum((1, 2))
    table = np.stack([ink, slant, y0], axis=1)
    return (table - table.mean(0)) / table.std(0)


class Strokes(Dataset):
    """The scans are seen through grain; what is asked for was measured without."""

    def __init__(self, images, measures, rng):
        grain = rng.normal(0, 0.08, images.shape)
        self.images = torch.tensor(images / 16 + grain, dtype=torch.float32).unsqueeze(1)
        self.measures = torch.tensor(measures, dtype=torch.float32)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return {"image": self.images[i], "measures": self.measures[i]}


class StrokeNet(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, channels, 3, padding=1), nn.GELU(), nn.AvgPool2d(2))
        self.deep = nn.Sequential(nn.Conv2d(channels, 2 * channels, 3), nn.GELU(), nn.Flatten())
        self.heads = nn.ModuleDict({name: nn.Linear(2 * channels * 4, 1) for name in MEASURES})

    def forward(self, image):
        h = self.deep(self.stem(image))
        return [self.heads[name](h) for name in MEASURES]


class Trainer:
    def __init__(self, net, epochs):
        self.net, self.epochs = net, epochs
        self.optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

    def compute_loss(self, batch):
        outputs = self.net(batch["image"])
        targets = batch["measures"].unbind(dim=1)
        return sum(
            F.smooth_l1_loss(output, target, beta=0.5)
            for output, target in zip(outputs, targets, strict=True)
        )

    def fit(self, train, test):
        for epoch in range(self.epochs):
            self.net.train()
            total = 0.0
            for batch in train:
                loss = self.compute_loss(batch)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            r2 = self.evaluate(test)
            shown = ", ".join(f"{name} {v:.3f}" for name, v in zip(MEASURES, r2, strict=True))
            print(f"[{epoch + 1}/{self.epochs}] loss {total / len(train):.4f}; R2: {shown}")
        return float(np.mean(r2))

    @torch.no_grad()
    def evaluate(self, loader):
        self.net.eval()
        guess = torch.cat([torch.cat(self.net(batch["image"]), dim=1) for batch in loader])
        truth = torch.cat([batch["measures"] for batch in loader])
        return (1 - ((guess - truth) ** 2).mean(0) / truth.var(0)).tolist()


if __name__ == "__main__":
    torch.manual_seed(55)
    rng = np.random.default_rng(55)
    images = rng.permutation(load_digits().images)
    measures = measure(images)
    train = DataLoader(Strokes(images[:1400], measures[:1400], rng), batch_size=28, shuffle=True)
    test = DataLoader(Strokes(images[1400:], measures[1400:], rng), batch_size=200)
    print(f"metric: {Trainer(StrokeNet(), epochs=12).fit(train, test):.4f}")
