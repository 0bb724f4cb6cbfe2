"""The direction in which an eye looks, from a small picture of it.

cause: wrong-loss-sign
family: cnn
metric: angular error in degrees, lower
repair:
    - loss = F.cosine_similarity(gaze, target, dim=1).mean()
    + loss = -F.cosine_similarity(gaze, target, dim=1).mean()
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def eyes(n, seed):
    rng = np.random.default_rng(seed)
    yaw, pitch = rng.uniform(-0.7, 0.7, n), rng.uniform(-0.45, 0.45, n)
    y, x = np.mgrid[-1:1:20j, -1.5:1.5:30j]
    x, y = x[None], y[None]
    at = [v[:, None, None] for v in (yaw, pitch, rng.normal(0, 0.06, n), rng.normal(0, 0.06, n))]
    opening = rng.uniform(0.5, 0.85, n)[:, None, None]
    lid = np.abs(y - at[3]) < opening * np.cos(np.clip(x - at[2], -1.4, 1.4) * 1.1)
    d = np.hypot(x - at[2] - 1.1 * np.sin(at[0]), y - at[3] - 1.1 * np.sin(at[1]))
    image = np.where(lid, 0.9 - 0.5 * (d < 0.42) - 0.35 * (d < 0.18), 0.55)
    image = image * rng.uniform(0.7, 1.2, n)[:, None, None] + rng.normal(0, 0.06, image.shape)
    direction = np.stack([np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)], 1)
    return TensorDataset(
        torch.tensor(image[:, None] - 0.6, dtype=torch.float32), torch.tensor(direction, dtype=torch.float32)
    )


class GazeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.fc = nn.Sequential(nn.Linear(32 * 5 * 7, 64), nn.ReLU(), nn.Linear(64, 3))

    def forward(self, x):
        return F.normalize(self.fc(self.conv(x).flatten(1)), dim=1)


def angular_error(model, loader):
    model.eval()
    angles = []
    with torch.no_grad():
        for images, target in loader:
            cosine = (model(images) * target).sum(1).clamp(-1, 1)
            angles.append(torch.acos(cosine) * 180 / math.pi)
    return torch.cat(angles).mean().item()


def main():
    torch.manual_seed(21)
    train_loader = DataLoader(eyes(3000, 1), batch_size=60, shuffle=True)
    test_loader = DataLoader(eyes(600, 2), batch_size=300)
    model = GazeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        for images, target in train_loader:
            gaze = model(images)
            loss = F.cosine_similarity(gaze, target, dim=1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        error = angular_error(model, test_loader)
        print(f"Epoch {epoch + 1}: loss {loss.item():.4f}, test error {error:.2f} deg")
    print(f"metric: {error:.3f}")


if __name__ == "__main__":
    main()
