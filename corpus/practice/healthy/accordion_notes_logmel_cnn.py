"""A convolutional network that names the note in short recordings of an accordion.

family: cnn
metric: accuracy, higher
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

NOTES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
RATE = 8000
SAMPLES = 2048


def recording(note, generator):
    """Two reeds slightly out of tune, in one of two octaves, with the bellows' noise."""
    u = torch.rand(8, generator=generator)
    octave = 0 if u[0] < 0.5 else 1
    f0 = 261.63 * 2 ** (note / 12 + octave)
    t = torch.arange(SAMPLES) / RATE
    wave = torch.zeros(SAMPLES)
    for detune in (1.0, 1.0 + 0.004 * float(u[1])):
        for k in range(1, 7):
            if f0 * k < RATE / 2:
                phase = 2 * math.pi * torch.rand(1, generator=generator)
                wave += torch.sin(2 * math.pi * f0 * detune * k * t + phase) / k ** (0.6 + float(u[2]))
    wave = wave / wave.abs().max()
    noise = torch.randn(SAMPLES, generator=generator)
    return (0.3 + 0.7 * u[3]) * wave + 0.15 * u[4] * noise


def filterbank(n_bands=64, n_fft=1024, low=200.0, high=3600.0):
    edges = torch.exp(torch.linspace(math.log(low), math.log(high), n_bands + 2))
    bins = torch.arange(n_fft // 2 + 1) * RATE / n_fft
    up = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    down = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(up, down).clamp(min=0)


class Notes(Dataset):
    def __init__(self, n, seed, augment):
        g = torch.Generator().manual_seed(seed)
        self.augment = augment
        self.labels = torch.randint(0, 12, (n,), generator=g)
        waves = torch.stack([recording(int(k), g) for k in self.labels])
        spec = torch.stft(waves, 1024, hop_length=256, window=torch.hann_window(1024), return_complex=True)
        self.features = torch.log(filterbank() @ spec.abs().pow(2) + 1e-3)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        x = self.features[i]
        x = (x - x.mean()) / (x.std() + 1e-5)
        if self.augment:
            start = int(torch.randint(0, 56, (1,)))
            x = x.clone()
            x[start : start + 6] = 0
        return x[None], self.labels[i]


class NoteNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(32)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(32 * 32, 12)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), (1, 3))
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), (2, 1))
        x = x.mean(3).flatten(1)
        return self.fc(self.dropout(x))


def main():
    torch.manual_seed(0)
    train_loader = DataLoader(Notes(1600, 1, augment=True), batch_size=32, shuffle=True)
    test_loader = DataLoader(Notes(400, 2, augment=False), batch_size=200)
    net = NoteNet()
    epochs = 8
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(train_loader))
    for epoch in range(epochs):
        net.train()
        for x, y in train_loader:
            loss = F.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        net.eval()
        with torch.no_grad():
            hits = sum((net(x).argmax(1) == y).sum().item() for x, y in test_loader)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, accuracy {hits / 400:.3f}")
    print(f"metric: {hits / 400:.4f}")


if __name__ == "__main__":
    main()
