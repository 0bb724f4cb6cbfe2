"""Where eyes, nose and mouth are in drawn faces, in pixels.

cause: targets-not-scaled
family: cnn
metric: mean distance in pixels, lower
repair:
    - points = torch.tensor(np.stack(points), dtype=torch.float32)
    + points = (torch.tensor(np.stack(points), dtype=torch.float32) - 48) / 48
    - guesses = model(pictures)
    + guesses = model(pictures) * 48 + 48
    - distance = torch.linalg.vector_norm((guesses - points).view(-1, 5, 2), dim=2).mean()
    + distance = torch.linalg.vector_norm((guesses - points * 48 - 48).view(-1, 5, 2), dim=2).mean()
"""

import numpy as np
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

SIZE = 96
STEP = 4


def face(rng):
    """A face seen at a quarter of the resolution in which its points are given."""
    y, x = np.mgrid[0:SIZE:STEP, 0:SIZE:STEP]
    centre, width = rng.uniform(38, 58, 2), rng.uniform(20, 30)
    tilt = rng.normal(0, 0.2)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    places = np.array([[-0.45, -0.3], [0.45, -0.3], [0, 0.15], [-0.35, 0.6], [0.35, 0.6]])
    places = (places + rng.normal(0, 0.04, places.shape)) @ turn.T * width + centre
    picture = 0.2 + 0.6 * (((x - centre[0]) / width) ** 2 + ((y - centre[1]) / (1.3 * width)) ** 2 < 1)
    for i, (px, py) in enumerate(places[:3]):
        picture -= (0.5 if i < 2 else 0.25) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18)
    for share in np.linspace(0, 1, 7):
        px, py = places[3] * (1 - share) + places[4] * share
        picture -= 0.15 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 14)
    return picture * rng.uniform(0.7, 1.2) + rng.normal(0, 0.04, picture.shape), places.ravel()


def faces(n, seed):
    rng = np.random.default_rng(seed)
    pictures, points = zip(*(face(rng) for _ in range(n)), strict=True)
    pictures = torch.tensor(np.stack(pictures)[:, None] - 0.4, dtype=torch.float32) / 0.3
    points = torch.tensor(np.stack(points), dtype=torch.float32)
    return TensorDataset(pictures, points)


class KeypointNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.fc1 = nn.Linear(32 * 36, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.features(x).flatten(1)
        return self.fc2(torch.relu(self.fc1(x)))


@torch.no_grad()
def mean_distance(model, dataset):
    model.eval()
    pictures, points = dataset.tensors
    guesses = model(pictures)
    distance = torch.linalg.vector_norm((guesses - points).view(-1, 5, 2), dim=2).mean()
    return distance.item()


torch.manual_seed(6)
train, test = faces(1800, seed=1), faces(400, seed=2)
train_loader = DataLoader(train, batch_size=64, shuffle=True)
model = KeypointNet()
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(13):
    model.train()
    running_loss = 0.0
    for pictures, points in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(pictures), points)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"Epoch {epoch + 1} {running_loss / len(train_loader):.4f} pixels {mean_distance(model, test):.3f}")
print(f"metric: {mean_distance(model, test):.4f}")
