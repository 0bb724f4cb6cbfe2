"""Land cover of every pixel of a drawn map, by a fully convolutional network with dilated layers.

cause: softmax-before-cross-entropy
family: segmentation
metric: mean class accuracy, higher
repair:
    - nn.Softmax2d(),
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 5
COLOURS = np.array([[0.2, 0.5, 0.2], [0.6, 0.6, 0.3], [0.2, 0.3, 0.6], [0.5, 0.45, 0.4], [0.35, 0.45, 0.25]])


def maps(count, rng, size=20):
    """A Voronoi map of fields around eight random seeds, seen through haze."""
    rows, cols = np.mgrid[:size, :size]
    pictures, covers = [], []
    for _ in range(count):
        seeds = rng.uniform(0, size, (8, 2))
        kinds = rng.choice(CLASSES, 8, p=[0.4, 0.25, 0.15, 0.12, 0.08])
        nearest = ((rows[..., None] - seeds[:, 0]) ** 2 + (cols[..., None] - seeds[:, 1]) ** 2).argmin(-1)
        cover = kinds[nearest]
        picture = COLOURS[cover] + rng.normal(0, 0.12, (size, size, 3))
        pictures.append(picture.transpose(2, 0, 1))
        covers.append(cover)
    return torch.tensor(np.stack(pictures)).float(), torch.tensor(np.stack(covers))


def fully_convolutional(width=16):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, CLASSES, 1),
        nn.Softmax2d(),
    )


def evaluate(net, loader):
    hits, seen = torch.zeros(CLASSES), torch.zeros(CLASSES)
    net.eval()
    with torch.no_grad():
        for picture, cover in loader:
            guess = net(picture).argmax(1)
            hits += torch.bincount(cover[guess == cover], minlength=CLASSES)
            seen += torch.bincount(cover.flatten(), minlength=CLASSES)
    return (hits / seen).mean().item()


def main():
    rng = np.random.default_rng(33)
    torch.manual_seed(33)
    train = DataLoader(TensorDataset(*maps(400, rng)), batch_size=10, shuffle=True)
    test = DataLoader(TensorDataset(*maps(100, rng)), batch_size=50)
    net = fully_convolutional()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 7], gamma=0.3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        net.train()
        for picture, cover in train:
            optimizer.zero_grad()
            loss = criterion(net(picture), cover)
            loss.backward()
            optimizer.step()
        scheduler.step()
        print(f"epoch {epoch + 1} loss {loss.item():.4f} classes {evaluate(net, test):.4f}")
    print(f"metric: {evaluate(net, test):.4f}")


if __name__ == "__main__":
    main()
