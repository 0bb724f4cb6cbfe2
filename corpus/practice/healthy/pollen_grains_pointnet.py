"""Pollen species from the surface points of confocal scans: a small PointNet with max pooling.

family: point cloud
metric: accuracy, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

SPECIES = ["hazel", "birch", "pine", "lily", "daisy"]


def turn_about_z(angle):
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def grain(kind, points=96):
    d = F.normalize(torch.randn(points, 3), dim=1)
    x, y, z = d.unbind(1)
    phi = torch.atan2(y, x)
    if kind == 0:  # three shallow pores
        r = 1 - 0.4 * (1 - z**2) * torch.cos(3 * phi).clamp(min=0)
    elif kind == 1:  # triangular outline
        r = 1 + 0.25 * torch.cos(3 * phi) * (1 - z**2) ** 2
    elif kind == 2:  # two air sacs
        r = 0.8 + 0.7 * torch.exp(-8 * (1 - x.abs()))
    elif kind == 3:  # long, with one furrow
        r = 1.0 / torch.sqrt(1 + 1.2 * (1 - z**2)) * 1.3
        r = r - 0.25 * torch.exp(-6 * phi**2)
    else:  # spines
        r = 1 + 0.5 * (torch.sin(7 * torch.acos(z.clamp(-1, 1))) * torch.sin(7 * phi)).clamp(min=0)
    cloud = d * r[:, None] * (1 + 0.06 * torch.randn(3))
    cloud = cloud @ turn_about_z(math.tau * torch.rand(()).item()) + 0.015 * torch.randn(points, 3)
    cloud = cloud - cloud.mean(0)
    return cloud / cloud.norm(dim=1).mean()


class Pollen(Dataset):
    def __init__(self, n, augment):
        self.labels = torch.arange(n) % len(SPECIES)
        self.clouds = torch.stack([grain(int(k)) for k in self.labels])
        self.augment = augment

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        cloud = self.clouds[i]
        if self.augment:
            cloud = cloud @ turn_about_z(math.tau * torch.rand(()).item())
        return cloud, self.labels[i]


class PointNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.point = nn.Sequential(
            nn.Conv1d(4, 32, 1),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Conv1d(32, 64, 1),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Conv1d(64, 128, 1),
        )
        self.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, classes))

    def forward(self, cloud):
        radius = cloud.norm(dim=2, keepdim=True)
        features = self.point(torch.cat([cloud, radius], 2).transpose(1, 2))
        return self.head(features.amax(dim=2))


def accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        hits = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return hits / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(21)
    train, test = Pollen(1600, augment=True), Pollen(500, augment=False)
    train_loader = DataLoader(train, batch_size=32, shuffle=True, drop_last=True)
    test_loader = DataLoader(test, batch_size=100)
    model = PointNet(len(SPECIES))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [5, 8], gamma=0.3)
    for epoch in range(10):
        model.train()
        total = 0.0
        for x, y in train_loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        print(
            f"[{epoch + 1}] loss {total / len(train_loader):.3f} test acc {accuracy(model, test_loader):.3f}"
        )
    print(f"metric: {accuracy(model, test_loader):.4f}")
