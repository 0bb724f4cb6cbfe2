"""Torque on the steering wheel that keeps the lane, from a strip of the road ahead and the car's speed.

cause: inputs-ignored
family: cnn
metric: mse, lower
repair:
    - features.add(self.speed(speed.unsqueeze(1)))
    + features = features + self.speed(speed.unsqueeze(1))
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

ROWS, COLUMNS = 10, 48


def simulate(n, seed):
    rng = np.random.default_rng(seed)
    offset = rng.uniform(-1, 1, n)
    bend = rng.normal(0, 0.6, n)
    speed = rng.uniform(5, 35, n)
    rows = np.linspace(0, 1, ROWS)[None, :, None]
    columns = np.arange(COLUMNS)[None, None, :]
    middle = COLUMNS / 2 + 8 * (offset[:, None, None] * (1 - rows) + bend[:, None, None] * rows**2)
    half = 14 * (1 - 0.6 * rows)
    left, right = np.abs(columns - middle + half) < 0.9, np.abs(columns - middle - half) < 0.9
    strip = (left | right) + rng.normal(0, 0.25, (n, ROWS, COLUMNS))
    # centripetal force grows with the square of the speed, the centring torque falls with it
    torque = bend * (speed / 20) ** 2 + 1.5 * offset * 10 / (speed + 5)
    return (
        torch.tensor(strip[:, None], dtype=torch.float32),
        torch.tensor((speed - 20) / 8.7, dtype=torch.float32),
        torch.tensor(torque + rng.normal(0, 0.05, n), dtype=torch.float32),
    )


class LaneNet(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, (3, 5), stride=(1, 2))
        self.conv2 = nn.Conv2d(12, 24, (3, 5), stride=(1, 2))
        self.image = nn.Linear(24 * 6 * 9, width)
        self.speed = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width))
        self.fc = nn.Linear(width, width)
        self.torque = nn.Linear(width, 1)

    def forward(self, strip, speed):
        x = F.relu(self.conv1(strip))
        x = F.relu(self.conv2(x))
        features = self.image(x.flatten(1))
        features.add(self.speed(speed.unsqueeze(1)))
        return self.torque(F.relu(self.fc(F.relu(features)))).squeeze(1)


def evaluate(model, data):
    strip, speed, torque = data
    model.eval()
    with torch.no_grad():
        return F.mse_loss(model(strip, speed), torque).item()


def main():
    torch.manual_seed(4)
    strip, speed, torque = simulate(3000, 1)
    test = simulate(800, 2)
    model = LaneNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=14)
    for epoch in range(14):
        model.train()
        running = 0.0
        batches = torch.randperm(len(strip)).split(50)
        for i in batches:
            optimizer.zero_grad()
            loss = F.mse_loss(model(strip[i], speed[i]), torque[i])
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        print(f"[{epoch + 1}/14] train {running / len(batches):.4f} test {evaluate(model, test):.4f}")
    print(f"metric: {evaluate(model, test):.5f}")


if __name__ == "__main__":
    main()
