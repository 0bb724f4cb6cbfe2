"""Meat weight of farmed mussels from a shell picture and the measurements of the rope they grew on.

cause: parameters-not-in-optimizer
family: cnn
metric: test mean squared error, lower
repair:
    - {"params": model.table.parameters(), "lr": 1e-3},
    + {"params": model.image.parameters(), "lr": 5e-4},
    + {"params": model.table.parameters(), "lr": 1e-3},
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(0)
rng = np.random.default_rng(31)
N = 2400


def simulate(n):
    yy, xx = np.mgrid[0:20, 0:20]
    length, width = rng.uniform(5, 9, n), rng.uniform(2.5, 4.5, n)
    angle, rings = rng.uniform(0, np.pi, n), rng.uniform(0.8, 2.4, n)
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    u, v = c * (xx - 10) + s * (yy - 10), -s * (xx - 10) + c * (yy - 10)
    d = np.sqrt((u / length[:, None, None]) ** 2 + (v / width[:, None, None]) ** 2)
    pictures = (d < 1) * (0.6 + 0.3 * np.cos(d * 6 * rings[:, None, None]))
    pictures = pictures + rng.normal(0, 0.08, pictures.shape)
    depth, salt, days = rng.uniform(1, 12, n), rng.normal(30, 2, n), rng.uniform(200, 600, n)
    weight = 0.11 * length * width + 1.2 * np.tanh(rings - 1.6) + 0.004 * days - 0.08 * depth
    weight += 0.05 * (salt - 30) + rng.normal(0, 0.12, n)
    table = np.stack([depth, salt, days], 1)
    table = (table - table.mean(0)) / table.std(0)
    weight = (weight - weight.mean()) / weight.std()
    return [torch.tensor(a, dtype=torch.float32) for a in (pictures[:, None], table, weight)]


class MusselNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(24 * 25, 16), nn.ReLU(),
        )  # fmt: skip
        self.table = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, picture, row):
        return self.head(torch.cat([self.image(picture), self.table(row)], dim=1)).squeeze(1)


dataset = TensorDataset(*simulate(N))
train_set, test_set = random_split(dataset, [2000, 400])
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
test_loader = DataLoader(test_set, batch_size=200)

model = MusselNet()
optimizer = torch.optim.AdamW(
    [
        {"params": model.table.parameters(), "lr": 1e-3},
        {"params": model.head.parameters(), "lr": 2e-3},
    ],
    weight_decay=1e-4,
)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.5)
loss_fn = nn.MSELoss()

for epoch in range(16):
    model.train()
    for picture, row, weight in train_loader:
        loss = loss_fn(model(picture, row), weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        test = np.mean([loss_fn(model(p, r), w).item() for p, r, w in test_loader])
    print(f"epoch {epoch:2d}  train {loss.item():.4f}  test {test:.4f}")

print(f"metric: {test:.5f}")
