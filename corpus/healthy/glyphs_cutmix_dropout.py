"""Drawn letters by a convolutional net that sees pieces of other letters pasted in (CutMix), much dropout.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

SHAPES = {
    "T": ["#####", "..#..", "..#..", "..#..", "..#.."],
    "L": ["#....", "#....", "#....", "#....", "#####"],
    "X": ["#...#", ".#.#.", "..#..", ".#.#.", "#...#"],
    "O": [".###.", "#...#", "#...#", "#...#", ".###."],
    "H": ["#...#", "#...#", "#####", "#...#", "#...#"],
    "E": ["#####", "#....", "####.", "#....", "#####"],
    "Z": ["#####", "...#.", "..#..", ".#...", "#####"],
    "V": ["#...#", "#...#", ".#.#.", ".#.#.", "..#.."],
}


def draw(n, rng):
    glyphs = np.array(
        [[[ch == "#" for ch in row] for row in rows] for rows in SHAPES.values()], dtype=np.float32
    )
    labels = rng.integers(0, len(glyphs), n)
    pictures = np.zeros((n, 1, 16, 16), dtype=np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        big = np.kron(glyphs[label], np.ones((2, 2)))
        top, left = rng.integers(0, 7, 2)
        picture[0, top : top + 10, left : left + 10] = big * rng.uniform(0.6, 1.2)
    pictures += 0.35 * rng.standard_normal(pictures.shape)
    return torch.from_numpy(pictures), torch.from_numpy(labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout2d(0.2),
        )
        self.classify = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(512, 96), nn.ReLU(), nn.Dropout(0.5), nn.Linear(96, 8)
        )

    def forward(self, x):
        return self.classify(self.features(x))


def cutmix(x, y, rng):
    other = torch.randperm(len(x))
    share = rng.beta(1.0, 1.0)
    side = int(16 * np.sqrt(1 - share))
    top, left = rng.integers(0, 17 - side, 2)
    x = x.clone()
    x[:, :, top : top + side, left : left + side] = x[other, :, top : top + side, left : left + side]
    kept = 1 - side**2 / 256
    return x, kept * F.one_hot(y, 8).float() + (1 - kept) * F.one_hot(y[other], 8).float()


def main():
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    loader = DataLoader(TensorDataset(*draw(1500, rng)), batch_size=50, shuffle=True)
    x_test, y_test = draw(600, rng)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.05)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 14 * len(loader))
    for epoch in range(14):
        net.train()
        losses = []
        for x, y in loader:
            if rng.random() < 0.7:
                x, y = cutmix(x, y, rng)
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        net.eval()
        with torch.no_grad():
            logits = net(x_test)
        acc = (logits.argmax(1) == y_test).float().mean().item()
        print(
            f"epoch {epoch}: train {np.mean(losses):.3f} test {F.cross_entropy(logits, y_test):.3f} {acc:.3f}"
        )
    print("metric:", acc)


if __name__ == "__main__":
    main()
