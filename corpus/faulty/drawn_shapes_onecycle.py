"""A convolutional network that tells drawn shapes apart, with a one-cycle schedule.

cause: learning-rate-too-high
family: cnn
metric: accuracy, higher
repair:
    - "max_lr": 0.3,
    + "max_lr": 0.05,
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

CONFIG = {
    "size": 20,
    "train": 1600,
    "test": 400,
    "batch_size": 40,
    "epochs": 10,
    "max_lr": 0.3,
    "seed": 11,
}


def draw(kind, size, rng):
    yy, xx = np.mgrid[0:size, 0:size]
    cy, cx = rng.uniform(6, size - 6, 2)
    r = rng.uniform(3, 5.5)
    if kind == 0:  # disc
        image = (yy - cy) ** 2 + (xx - cx) ** 2 < r**2
    elif kind == 1:  # square
        image = np.maximum(abs(yy - cy), abs(xx - cx)) < r * 0.9
    elif kind == 2:  # cross
        image = (np.minimum(abs(yy - cy), abs(xx - cx)) < 1.2) & (np.maximum(abs(yy - cy), abs(xx - cx)) < r)
    else:  # triangle
        image = (yy - cy < r * 0.7) & (yy - cy > 2 * abs(xx - cx) - r)
    return -0.2 + image * rng.uniform(0.6, 1.0) + rng.normal(0, 0.1, (size, size))


def dataset(n, rng):
    kinds = rng.integers(0, 4, n)
    images = np.stack([draw(k, CONFIG["size"], rng) for k in kinds])
    return TensorDataset(torch.tensor(images[:, None], dtype=torch.float32), torch.tensor(kinds))


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 3, padding=1)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.conv3 = nn.Conv2d(24, 24, 3, padding=1)
        self.fc = nn.Linear(24 * 5 * 5, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.conv3(x))
        return self.fc(x.flatten(1))


if __name__ == "__main__":
    torch.manual_seed(CONFIG["seed"])
    rng = np.random.default_rng(CONFIG["seed"])
    train_set, test_set = dataset(CONFIG["train"], rng), dataset(CONFIG["test"], rng)
    train_loader = DataLoader(train_set, CONFIG["batch_size"], shuffle=True)
    net = ShapeNet()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=CONFIG["max_lr"], epochs=CONFIG["epochs"], steps_per_epoch=len(train_loader)
    )
    for epoch in range(CONFIG["epochs"]):
        net.train()
        running = 0.0
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item()
        net.eval()
        with torch.no_grad():
            images, labels = test_set.tensors
            accuracy = (net(images).argmax(1) == labels).float().mean().item()
        print(f"epoch {epoch}: loss {running / len(train_loader):.3f}, test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy}")
