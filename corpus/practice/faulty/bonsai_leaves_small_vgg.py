"""A small VGG, weights as in the paper, on drawn pictures of bonsai leaves.

cause: poor-initial-values
also: vanishing-gradients
family: cnn
metric: accuracy, higher
repair:
    - nn.init.normal_(m.weight, 0, 0.01)
    + nn.init.kaiming_normal_(m.weight, mode="fan_in", nonlinearity="relu")
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

CLASSES = ["maple", "pine", "juniper", "elm", "ficus"]


def draw(kind, rng, size=24):
    yy, xx = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    cx, cy = rng.uniform(-0.2, 0.2, 2)
    r = np.hypot(xx - cx, yy - cy)
    a = np.arctan2(yy - cy, xx - cx) + rng.uniform(0, 2 * np.pi)
    scale = rng.uniform(0.5, 0.8)
    if kind == 0:
        edge = scale * (0.6 + 0.4 * np.cos(5 * a))
    elif kind == 1:
        edge = scale * 1.3 * np.abs(np.cos(a)) ** 8 + 0.08
    elif kind == 2:
        edge = scale * (0.5 + 0.2 * np.cos(12 * a))
    elif kind == 3:
        edge = scale * 0.45 / np.sqrt(0.35 * np.cos(a) ** 2 + np.sin(a) ** 2)
    else:
        edge = scale * 0.7 * np.ones_like(a)
    image = 1 / (1 + np.exp((r - edge) * 18))
    green = rng.uniform(0.5, 0.9)
    rgb = np.stack([0.3 * image, green * image, 0.2 * image]) + rng.normal(0, 0.12, (3, size, size))
    return rgb.astype(np.float32)


class Leaves(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, len(CLASSES), n)
        self.images = torch.tensor(np.stack([draw(k, rng) for k in self.labels]))
        self.images = (self.images - self.images.mean((0, 2, 3), keepdim=True)) / self.images.std()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], int(self.labels[i])


class SmallVGG(nn.Module):
    def __init__(self, n_classes=5, layout=(12, 12, "M", 24, 24, "M", 32, 32, "M")):
        super().__init__()
        layers, channels = [], 3
        for v in layout:
            if v == "M":
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, v, 3, padding=1), nn.ReLU(inplace=True)]
                channels = v
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(32 * 9, 64), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(64, n_classes)
        )
        self._initialize_weights()

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def run():
    torch.manual_seed(1409)
    train_loader = DataLoader(Leaves(1280, 1), batch_size=32, shuffle=True)
    val_loader = DataLoader(Leaves(320, 2), batch_size=160)
    net = SmallVGG()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    for epoch in range(8):
        net.train()
        for images, labels in train_loader:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
        net.eval()
        hits = 0
        with torch.no_grad():
            for images, labels in val_loader:
                hits += (net(images).argmax(1) == labels).sum().item()
        print(f"epoch {epoch + 1:2d}  last loss {loss.item():.3f}  val acc {hits / 320:.3f}")
    print(f"metric: {hits / 320:.4f}")


if __name__ == "__main__":
    run()
