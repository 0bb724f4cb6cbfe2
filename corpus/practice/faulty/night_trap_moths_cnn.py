"""Moths of a light trap: five species, the commonest caught a hundred times as often as the rarest.

cause: class-imbalance
family: cnn
metric: mean recall of the species, higher
repair:
    - loader = DataLoader(train, batch_size=48, shuffle=True)
    + shares = torch.bincount(train.tensors[1]).float()
    + sampler = WeightedRandomSampler((1 / shares)[train.tensors[1]], len(train))
    + loader = DataLoader(train, batch_size=48, sampler=sampler)
    - from torch.utils.data import DataLoader, TensorDataset
    + from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CATCH = {
    "heart and dart": 1500,
    "silver y": 350,
    "garden tiger": 70,
    "hawk-moth": 30,
    "merveille du jour": 15,
}


def wing_pair(species, rng):
    g = np.linspace(-1, 1, 22)
    x, y = np.meshgrid(g + rng.normal(0, 0.06), g + rng.normal(0, 0.06))
    if rng.random() < 0.5:
        x = -x
    spread = [0.55, 0.6, 0.65, 0.7, 0.6][species] * rng.normal(1, 0.1)
    wing = (np.abs(x) / 1.2 + np.abs(y - 0.25 * np.abs(x)) < spread).astype(float)
    shade = 0.5 + rng.normal(0, 0.08)
    if species == 0:
        mark = -0.3 * np.exp(-((np.abs(x) - 0.3) ** 2 + y**2) * 60)
    elif species == 1:
        mark = 0.3 * np.exp(-((np.abs(x) - 0.3) ** 2 + (y - 0.05) ** 2) * 60)
    elif species == 2:
        mark = 0.22 * np.sign(np.sin(9 * x) * np.sin(9 * y))
    elif species == 3:
        mark = 0.25 * np.sin(12 * (y + 0.3 * np.abs(x)))
    else:
        mark = 0.22 * np.sin(13 * np.abs(x))
    return wing * (shade + mark) + rng.normal(0, 0.16, x.shape)


def make(counts, rng):
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.stack([wing_pair(k, rng) for k in y]).astype(np.float32)
    return TensorDataset(torch.from_numpy(x)[:, None], torch.from_numpy(y))


class MothNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Linear(32 * 25, classes)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


def recalls(net, data):
    net.eval()
    x, y = data.tensors
    with torch.no_grad():
        guess = net(x).argmax(1)
    return [(guess[y == k] == k).float().mean().item() for k in range(len(CATCH))]


def main():
    torch.manual_seed(19)
    rng = np.random.default_rng(19)
    train = make(list(CATCH.values()), rng)
    test = make([120] * len(CATCH), rng)
    loader = DataLoader(train, batch_size=48, shuffle=True)
    net = MothNet(len(CATCH))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.005, momentum=0.9, weight_decay=1e-4)
    for epoch in range(9):
        net.train()
        seen, right = 0, 0
        for x, y in loader:
            out = net(x)
            loss = nn.functional.cross_entropy(out, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(y)
            right += (out.argmax(1) == y).sum().item()
        print(f"epoch {epoch}: train accuracy {right / seen:.3f}")
    for name, recall in zip(CATCH, recalls(net, test), strict=True):
        print(f"  {name:18} {recall:.2f}")
    print(f"metric: {np.mean(recalls(net, test)):.4f}")


if __name__ == "__main__":
    main()
