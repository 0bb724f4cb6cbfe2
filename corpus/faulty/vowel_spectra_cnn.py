"""Spoken vowels from short spectrograms, a convolutional network with a decaying rate.

cause: learning-rate-decayed-to-zero
family: cnn
metric: accuracy, higher
repair:
    - optimizer.step()
    - scheduler.step()
    + optimizer.step()
    - net.eval()
    + scheduler.step()
    + net.eval()
"""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, TensorDataset

VOWELS = 8
MELS, FRAMES = 24, 16


def spectrograms(count, seed):
    rng = np.random.default_rng(seed)
    vowels = rng.integers(0, VOWELS, count)
    formants = np.array([[4, 17], [5, 15], [7, 14], [9, 12], [8, 10], [6, 9], [4, 8], [7, 11]])
    speaker = rng.normal(1, 0.07, (count, 1))
    lines = formants[vowels] * speaker + rng.normal(0, 0.5, (count, 2))
    drift = rng.normal(0, 0.08, (count, 2))
    pitch = rng.uniform(2, 4, count)
    mel, frame = np.arange(MELS)[:, None], np.arange(FRAMES)[None]
    x = np.zeros((count, 1, MELS, FRAMES), dtype=np.float32)
    for i in range(count):
        loud = np.hanning(FRAMES + 4)[2:-2]
        for k in range(2):
            x[i, 0] += np.exp(-((mel - lines[i, k] - drift[i, k] * frame) ** 2) / 3) * loud
        x[i, 0] *= 1 + 0.4 * np.cos(2 * np.pi * mel / pitch[i])
    x += rng.normal(0, 0.35, x.shape)
    return torch.from_numpy((x - x.mean()) / x.std()), torch.from_numpy(vowels)


class VowelNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.fc = nn.Sequential(nn.Flatten(), nn.Linear(32 * 24, 64), nn.ReLU(), nn.Linear(64, VOWELS))

    def forward(self, x):
        return self.fc(self.conv(x))


def main():
    torch.manual_seed(23)
    train = TensorDataset(*spectrograms(3000, 1))
    test_x, test_y = spectrograms(800, 2)
    loader = DataLoader(train, batch_size=64, shuffle=True)
    net = VowelNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
    scheduler = ExponentialLR(optimizer, gamma=0.9)
    for epoch in range(12):
        net.train()
        mean = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(net(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            mean += loss.item() / len(loader)
        net.eval()
        with torch.no_grad():
            accuracy = (net(test_x).argmax(1) == test_y).float().mean().item()
        print(f"epoch {epoch + 1:2d}  loss {mean:.4f}  accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
