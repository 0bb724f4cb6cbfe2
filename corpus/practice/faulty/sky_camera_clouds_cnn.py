"""Kinds of cloud on pictures of a sky camera.

cause: learning-rate-too-high
family: cnn
metric: accuracy, higher
repair:
    - LEARNING_RATE = 0.03
    + LEARNING_RATE = 0.001
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

KINDS = ["clear", "cirrus", "cumulus", "altocumulus", "stratus"]
SIZE = 32
BATCH_SIZE = 64
LEARNING_RATE = 0.03
EPOCHS = 12


def smooth_noise(rng, scale_y, scale_x):
    spectrum = np.fft.rfft2(rng.normal(size=(SIZE, SIZE)))
    fy = np.fft.fftfreq(SIZE)[:, None]
    fx = np.fft.rfftfreq(SIZE)[None]
    field = np.fft.irfft2(spectrum * np.exp(-((fy * scale_y) ** 2 + (fx * scale_x) ** 2) * 6))
    return (field - field.mean()) / field.std()


def sky(kind, rng):
    blue = np.array([0.35, 0.55, 0.9]) * rng.uniform(0.6, 1.3)
    if kind == 0:
        cover = 0.05 * smooth_noise(rng, 12, 12)
    elif kind == 1:
        cover = 0.35 * np.clip(smooth_noise(rng, 3, rng.uniform(5, 9)), 0, 2)
    elif kind == 2:
        cover = 1.0 * (smooth_noise(rng, 4.6, 4.6) > rng.uniform(0, 0.7))
    elif kind == 3:
        cover = 0.8 * (smooth_noise(rng, 3.3, 3.3) > rng.uniform(-0.1, 0.5))
    else:
        cover = rng.uniform(0.6, 0.9) + 0.1 * smooth_noise(rng, 7, 10)
    cover = np.clip(cover + rng.normal(0, 0.3, cover.shape), 0, 1)[None]
    image = blue[:, None, None] * (1 - cover) + rng.uniform(0.7, 0.95) * cover
    return image + rng.normal(0, 0.1, image.shape)


def make_set(n, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(KINDS), n)
    images = np.stack([sky(k, rng) for k in labels]).astype(np.float32)
    return TensorDataset(torch.from_numpy((images - 0.5) / 0.25), torch.from_numpy(labels))


class CloudNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 8 * 8, 64)
        self.fc2 = nn.Linear(64, len(KINDS))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    correct = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return correct / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(0)
    train_loader = DataLoader(make_set(1600, 1), batch_size=BATCH_SIZE, shuffle=True)
    test_loader = DataLoader(make_set(600, 2), batch_size=200)
    model = CloudNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for epoch in range(1, EPOCHS + 1):
        model.train()
        total = 0.0
        for x, y in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        accuracy = evaluate(model, test_loader)
        print(f"Epoch {epoch:2d}/{EPOCHS}  loss {total / 1600:.4f}  test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")
