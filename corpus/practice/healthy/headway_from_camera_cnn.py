"""The distance to the car ahead from a small camera picture: a convolutional regressor.

family: cnn
metric: mean absolute error (log m), lower
"""

import numpy as np
import torch
from torch import nn


def frames(n, rng, height=24, width=32):
    """Road, sky and a car whose size falls with its distance; distances of 6 to 80 m."""
    distance = np.exp(rng.uniform(np.log(6), np.log(80), n))
    rows, columns = np.mgrid[0:height, 0:width]
    pictures = np.empty((n, height, width), np.float32)
    for i, d in enumerate(distance):
        sky, road = rng.uniform(0.6, 1.0), rng.uniform(0.2, 0.5)
        picture = np.where(rows < 9, sky, road).astype(float)
        lane = np.abs(np.abs(columns - 16) - (rows - 8) * 0.9) < 0.7
        picture[lane & (rows > 9)] = 0.9
        half = 60 / d / 1.3 + 0.4
        bottom = 9 + 80 / d
        centre = 16 + rng.normal(0, 1.0)
        body = (np.abs(columns - centre) < half) & (rows < bottom) & (rows > bottom - 1.7 * half)
        picture[body] = rng.uniform(0, 0.9)
        pictures[i] = picture + rng.normal(0, 0.06, picture.shape)
    target = (np.log(distance) - np.log(22)) / 0.75
    return torch.from_numpy((pictures[:, None] - 0.5) / 0.3), torch.tensor(target, dtype=torch.float32)


class Headway(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 32, 3, padding=1),
            nn.ReLU(),
        )
        self.regressor = nn.Sequential(nn.Flatten(), nn.Linear(32 * 6 * 8, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, x):
        return self.regressor(self.features(x)).squeeze(1)


if __name__ == "__main__":
    torch.manual_seed(12)
    rng = np.random.default_rng(12)
    x_train, y_train = frames(2400, rng)
    x_test, y_test = frames(600, rng)
    net = Headway()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    steps_per_epoch = 2400 // 48
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12 * steps_per_epoch)
    for epoch in range(12):
        net.train()
        order = torch.randperm(len(x_train))
        running = 0.0
        for k in range(steps_per_epoch):
            batch = order[48 * k : 48 * k + 48]
            loss = nn.functional.mse_loss(net(x_train[batch]), y_train[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            running += loss.item() / steps_per_epoch
        net.eval()
        with torch.no_grad():
            error = (net(x_test) - y_test).abs().mean().item() * 0.75
        print(f"epoch {epoch + 1:2d}: mse {running:.4f}, test |log d| error {error:.4f}")
    print(f"metric: {error:.4f}")
