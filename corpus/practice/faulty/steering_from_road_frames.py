"""Steering angle from the camera's view of the road, cloned from a driver's recordings.

cause: labels-misaligned
family: cnn
metric: mae, lower
repair:
    - return frames[LAG:], angles[:-LAG]
    + return frames[:-LAG], angles[LAG:]
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

HEIGHT, WIDTH = 20, 40
LAG = 4  # the logger writes the wheel angle four frames late


def record_drive(n_frames, seed):
    """Frames of a winding road and the log of the wheel, one row each."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, n_frames + 60)
    kernel = np.exp(-0.5 * ((np.arange(25) - 12) / 3.0) ** 2)
    curvature = np.convolve(noise, kernel / np.sqrt((kernel**2).sum()), mode="same")[:n_frames]
    offset = np.convolve(rng.normal(0, 1, n_frames + 60), np.ones(6) / 6, mode="same")[:n_frames]
    rows = np.arange(HEIGHT)[:, None]
    columns = np.arange(WIDTH)[None, :]
    depth = (HEIGHT - rows) / HEIGHT
    frames = []
    for bend, shift in zip(curvature, offset, strict=True):
        centre = WIDTH / 2 - 4 * shift * (1 - depth) + 9 * bend * depth**2
        half = 2 + 13 * (1 - depth)
        road = np.abs(columns - centre) < half
        line = np.abs(columns - centre) < 0.8
        frames.append(0.55 - 0.3 * road + 0.5 * line + rng.normal(0, 0.08, (HEIGHT, WIDTH)))
    wheel = 0.8 * curvature + 0.3 * offset
    logged = np.concatenate([np.full(LAG, wheel[0]), wheel[:-LAG]]) + rng.normal(0, 0.03, n_frames)
    return np.stack(frames).astype(np.float32)[:, None] - 0.4, logged.astype(np.float32)


def align(frames, angles):
    """Takes the logger's delay out."""
    return frames[LAG:], angles[:-LAG]


def dataset(seed, n_frames=600):
    frames, angles = align(*record_drive(n_frames, seed))
    return TensorDataset(torch.from_numpy(frames), torch.from_numpy(angles))


class PilotNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2),
            nn.ELU(),
            nn.Conv2d(12, 24, 3, stride=2),
            nn.ELU(),
            nn.Conv2d(24, 32, 3),
            nn.ELU(),
            nn.Flatten(),
        )
        self.head = nn.Sequential(nn.LazyLinear(64), nn.ELU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.head(self.features(x)).squeeze(1)


def validate(model, loader):
    model.eval()
    with torch.no_grad():
        errors = torch.cat([(model(x) - angle).abs() for x, angle in loader])
    return errors.mean().item()


if __name__ == "__main__":
    torch.manual_seed(21)
    train = DataLoader(ConcatDataset([dataset(s) for s in range(4)]), batch_size=32, shuffle=True)
    val = DataLoader(dataset(99), batch_size=128)
    model = PilotNet()
    model(torch.zeros(1, 1, HEIGHT, WIDTH))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        model.train()
        for x, angle in train:
            loss = nn.functional.mse_loss(model(x), angle)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: mean error {validate(model, val):.3f}")
    print(f"metric: {validate(model, val):.4f}")
