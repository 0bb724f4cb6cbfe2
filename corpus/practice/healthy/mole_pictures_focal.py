"""Moles in drawn skin pictures, one in twelve of them suspicious, by a small network and the focal loss.

family: cnn
metric: average precision, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def moles(n, rng, size=20):
    bad = rng.random(n) < 1 / 12
    pictures = np.empty((n, 3, size, size), np.float32)
    v, u = np.mgrid[0:size, 0:size] / (size - 1) * 2 - 1
    for i in range(n):
        skin = np.array([0.85, 0.65, 0.55]) * rng.uniform(0.7, 1.1)
        colour = np.array([0.4, 0.25, 0.2]) * rng.uniform(0.7, 1.3)
        phi = np.arctan2(v, u) + rng.uniform(0, 6.28)
        ragged = rng.uniform(0.1, 0.25) if bad[i] else rng.uniform(0, 0.1)
        edge = rng.uniform(0.35, 0.65) * (1 + ragged * np.sin(3 * phi) + ragged * np.sin(7 * phi))
        inside = 1 / (1 + np.exp((np.hypot(u, v) - edge) * 20))
        mottled = rng.normal(0, 0.12 if bad[i] else 0.04, (5, 5)).repeat(4, 0).repeat(4, 1)
        for c in range(3):
            pictures[i, c] = skin[c] + (colour[c] + mottled - skin[c]) * inside
    pictures += rng.normal(0, 0.05, pictures.shape).astype(np.float32)
    return torch.from_numpy((pictures - 0.55) / 0.2), torch.from_numpy(bad.astype(np.float32))


def focal_loss(logits, target, gamma=2.0, alpha=0.75):
    ce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    p = torch.exp(-ce)
    weight = torch.where(target > 0, alpha, 1 - alpha)
    return (weight * (1 - p) ** gamma * ce).mean()


class MoleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(32, 1)
        nn.init.constant_(self.head.bias, -2.0)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3))).squeeze(1)


if __name__ == "__main__":
    torch.manual_seed(64)
    rng = np.random.default_rng(64)
    x, y = moles(2400, rng)
    x_test, y_test = moles(1200, rng)
    loader = DataLoader(TensorDataset(x, y), batch_size=48, shuffle=True)
    net = MoleNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7 * len(loader))
    for epoch in range(7):
        net.train()
        total = 0.0
        for pictures, bad in loader:
            loss = focal_loss(net(pictures), bad)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        net.eval()
        with torch.no_grad():
            ap = average_precision_score(y_test.numpy(), net(x_test).numpy())
        print(f"epoch {epoch + 1}: focal loss {total / len(loader):.5f}, average precision {ap:.4f}")
    print(f"metric: {ap:.4f}")
