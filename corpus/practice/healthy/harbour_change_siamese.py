"""Two pictures of a harbour basin from the air: has a ship come or gone? One encoder sees both.

family: siamese
metric: accuracy, higher
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def basin(ships, light, tide, rng, size=24):
    v, u = np.mgrid[0:size, 0:size].astype(float)
    picture = 0.3 + 0.05 * np.sin(u / 2 + rng.uniform(0, 6)) + 0.05 * np.sin(v / 3 + rng.uniform(0, 6))
    picture[: 3 + tide] = 0.7
    for x, y, length, angle, tone in ships:
        a = (u - x) * np.cos(angle) + (v - y) * np.sin(angle)
        b = (v - y) * np.cos(angle) - (u - x) * np.sin(angle)
        picture[(np.abs(a) < length) & (np.abs(b) < 1.3)] = tone
    return picture * light + rng.normal(0, 0.05, picture.shape)


def pairs(n, seed):
    rng = np.random.default_rng(seed)
    before, after, changed = [], [], rng.random(n) < 0.5
    for i in range(n):
        ships = [
            (
                rng.uniform(3, 21),
                rng.uniform(7, 21),
                rng.uniform(2.5, 4.5),
                rng.uniform(0, 3.14),
                rng.uniform(0.55, 1),
            )
            for _ in range(rng.integers(1, 5))
        ]
        later = (
            ships[:-1]
            if changed[i]
            else [(x + rng.normal(0, 0.3), y + rng.normal(0, 0.3), *r) for x, y, *r in ships]
        )
        views = [basin(s, rng.uniform(0.7, 1.2), rng.integers(0, 2), rng) for s in (ships, later)]
        if rng.random() < 0.5:
            views.reverse()
        before.append(views[0])
        after.append(views[1])
    a, b = (torch.tensor((np.stack(p)[:, None] - 0.4) / 0.25, dtype=torch.float32) for p in (before, after))
    return a, b, torch.tensor(changed, dtype=torch.float32)


class Change(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
            nn.Conv2d(12, 20, 3, stride=2, padding=1), nn.BatchNorm2d(20), nn.ReLU(),
        )  # fmt: skip
        self.judge = nn.Sequential(
            nn.Conv2d(20, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 32, 3),
            nn.ReLU(),
        )
        self.out = nn.Linear(32, 1)

    def forward(self, before, after):
        difference = (self.encoder(before) - self.encoder(after)).abs()
        return self.out(self.judge(difference).amax((2, 3))).squeeze(1)


if __name__ == "__main__":
    torch.manual_seed(46)
    loader = DataLoader(TensorDataset(*pairs(1200, 1)), batch_size=40, shuffle=True)
    before, after, changed = pairs(600, 2)
    net = Change()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 7)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(7):
        net.train()
        total = 0.0
        for a, b, y in loader:
            optimizer.zero_grad()
            loss = criterion(net(a, b), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        scheduler.step()
        net.eval()
        with torch.no_grad():
            accuracy = ((net(before, after) > 0) == (changed > 0.5)).float().mean().item()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")
