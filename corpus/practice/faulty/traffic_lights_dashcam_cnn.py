"""Is the light ahead red, amber or green, or off? Crops from a dash camera, and a drive at the end.

cause: evaluating-in-train-mode
begins: 51
family: cnn
metric: accuracy, higher
repair:
    - right = 0
    + net.eval()
    + right = 0
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

COLOURS = np.array([[0.9, 0.15, 0.1], [0.9, 0.6, 0.1], [0.1, 0.8, 0.4]])


def crop(state, rng, height=24, width=12):
    daylight = rng.uniform(0.2, 0.9)
    image = np.ones((3, height, width)) * daylight * rng.uniform(0.7, 1.1, (3, 1, 1))
    top, left = rng.integers(0, 4), rng.integers(0, 3)
    image[:, top : top + 20, left : left + 9] = 0.12
    y, x = np.mgrid[0:height, 0:width]
    for lamp in range(3):
        disc = np.hypot(y - (top + 3.5 + 6 * lamp), x - (left + 4)) < 2.4
        strength = 1.0 if lamp == state else 0.22
        image[:, disc] = (COLOURS[lamp] * strength)[:, None]
    if rng.random() < 0.5:
        image = image[:, :, ::-1]
    return image + rng.normal(0, 0.06, image.shape)


def crops(n, seed):
    rng = np.random.default_rng(seed)
    states = rng.integers(0, 4, n)
    pictures = np.stack([crop(state, rng) for state in states])
    return torch.tensor(pictures - 0.4, dtype=torch.float32), torch.tensor(states)


class LightNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc1 = nn.Linear(32 * 6 * 3, 64)
        self.drop = nn.Dropout(0.5)
        self.fc2 = nn.Linear(64, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return self.fc2(self.drop(F.relu(self.fc1(x.flatten(1)))))


def train_epoch(net, loader, optimizer):
    net.train()
    total = 0.0
    for images, states in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), states)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


def drive(net, frames, states):
    """Frame by frame, as in the car."""
    right = 0
    with torch.no_grad():
        for frame, state in zip(frames, states, strict=True):
            right += int(net(frame.unsqueeze(0)).argmax() == state)
    return right / len(frames)


if __name__ == "__main__":
    torch.manual_seed(5)
    images, states = crops(2000, 1)
    loader = DataLoader(TensorDataset(images, states), batch_size=40, shuffle=True)
    drive_frames, drive_states = crops(400, 2)
    net = LightNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-4)
    for epoch in range(8):
        loss = train_epoch(net, loader, optimizer)
        print(f"epoch {epoch}: loss {loss:.3f}, on the drive {drive(net, drive_frames, drive_states):.3f}")
    print(f"metric: {drive(net, drive_frames, drive_states):.4f}")
