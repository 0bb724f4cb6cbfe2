"""Household sounds from their spectrograms: kettle, doorbell, vacuum cleaner, tap, clock and dog.

family: cnn
metric: accuracy, higher
"""

import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

RATE, LENGTH = 4000, 2048
NAMES = ["kettle", "doorbell", "vacuum", "tap", "clock", "dog"]


def sound(kind, g):
    def uniform(low, high):
        return low + (high - low) * torch.rand(1, generator=g).item()

    t = torch.arange(LENGTH) / RATE
    noise = torch.randn(LENGTH, generator=g)
    if kind == 0:
        wave = torch.sin(2 * math.pi * (uniform(900, 1200) + 300 * t) * t) * (0.3 + t) + 0.3 * noise
    elif kind == 1:
        high, low = uniform(650, 750), uniform(500, 580)
        pitch = torch.where(t < uniform(0.18, 0.3), torch.tensor(high), torch.tensor(low))
        wave = torch.sin(2 * math.pi * pitch * t) * torch.exp(-2 * t)
    elif kind == 2:
        f = uniform(110, 160)
        wave = sum(torch.sin(2 * math.pi * f * k * t) / k for k in range(1, 8)) + 0.4 * noise
    elif kind == 3:
        wave = noise - torch.roll(noise, 1) * 0.7
    elif kind == 4:
        period, wave = uniform(0.10, 0.14), torch.zeros(LENGTH)
        wave = torch.exp(-120 * (t % period)) * torch.sin(2 * math.pi * uniform(1200, 1600) * t)
    else:
        start = uniform(0.05, 0.3)
        envelope = torch.exp(-(((t - start) / 0.06) ** 2))
        wave = envelope * sum(torch.sin(2 * math.pi * uniform(330, 460) * k * t) for k in (1, 2, 3))
    wave = wave / wave.std() * uniform(0.3, 2.0)
    return wave + uniform(0.2, 1.2) * torch.randn(LENGTH, generator=g)


def recordings(n, seed):
    g = torch.Generator().manual_seed(seed)
    kinds = torch.randint(6, (n,), generator=g)
    waves = torch.stack([sound(int(k), g) for k in kinds])
    spectrum = torch.stft(waves, 128, hop_length=64, window=torch.hann_window(128), return_complex=True).abs()
    bands = nn.functional.avg_pool2d(spectrum[:, 1:].unsqueeze(1), (2, 1))
    return torch.log(bands + 1e-2), kinds


def block(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.ReLU(), nn.MaxPool2d(2))


def main():
    torch.manual_seed(31)
    x, y = recordings(1200, seed=1)
    x_test, y_test = recordings(500, seed=2)
    centre, spread = x.mean(), x.std()
    x, x_test = (x - centre) / spread, (x_test - centre) / spread
    loader = DataLoader(TensorDataset(x, y), batch_size=40, shuffle=True)
    model = nn.Sequential(
        block(1, 8),
        block(8, 16),
        block(16, 32),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, 6),
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8 * len(loader))
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        losses = []
        for inputs, targets in loader:
            loss = criterion(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.3f} accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
