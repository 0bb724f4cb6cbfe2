"""A one-dimensional residual network on waveforms of drum hits.

cause: exploding-gradients
family: cnn
metric: accuracy, higher
repair:
    - super().__init__()
    - self.conv1 = nn.Conv1d(channels, channels, 3, padding=1)
    + super().__init__()
    + self.norm = nn.GroupNorm(4, channels)
    + self.conv1 = nn.Conv1d(channels, channels, 3, padding=1)
    - return x + self.conv2(F.relu(self.conv1(F.relu(x))))
    + return x + self.conv2(F.relu(self.conv1(F.relu(self.norm(x)))))
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

DRUMS = ("kick", "snare", "tom", "hat", "ride", "clap")
N = 256


def hit(kind, rng):
    t = np.arange(N) / 4000.0
    noise = rng.standard_normal(N)
    bright = np.diff(noise, prepend=0.0)
    if kind == 0:
        f = rng.uniform(50, 75)
        wave = np.sin(2 * np.pi * f * t * (1 + 2 * np.exp(-t * 60))) * np.exp(-t * 40)
    elif kind == 1:
        wave = 0.5 * np.sin(2 * np.pi * rng.uniform(170, 220) * t) * np.exp(-t * 60) + 0.5 * noise * np.exp(
            -t * 50
        )
    elif kind == 2:
        wave = np.sin(2 * np.pi * rng.uniform(110, 160) * t) * np.exp(-t * 35)
    elif kind == 3:
        wave = bright * np.exp(-t * 130)
    elif kind == 4:
        wave = 0.5 * bright * np.exp(-t * 12) + 0.3 * np.sin(2 * np.pi * rng.uniform(900, 1100) * t) * np.exp(
            -t * 12
        )
    else:
        gate = (np.sin(2 * np.pi * 70 * t) > 0) | (t > 0.03)
        wave = noise * gate * np.exp(-t * 55)
    wave = np.roll(wave, rng.integers(0, 20)) + rng.normal(0, 0.03, N)
    return wave / (np.abs(wave).max() + 1e-6)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, x):
        # batch norm hurt with our small batches
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class DrumNet(nn.Module):
    def __init__(self, channels=16, blocks=28):
        super().__init__()
        self.stem = nn.Conv1d(1, channels, 16, stride=8)
        self.blocks = nn.Sequential(*[Block(channels) for _ in range(blocks)])
        self.fc = nn.Linear(channels, len(DRUMS))
        for m in self.modules():
            if isinstance(m, nn.Conv1d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x)).mean(2))


def main():
    rng = np.random.default_rng(40)
    torch.manual_seed(40)
    kinds = rng.integers(0, 6, 1200)
    waves = torch.tensor(np.stack([hit(k, rng) for k in kinds]), dtype=torch.float32).unsqueeze(1)
    kinds = torch.tensor(kinds)
    x, y, x_test, y_test = waves[:960], kinds[:960], waves[960:], kinds[960:]
    net = DrumNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.3)
    for epoch in range(6):
        for batch in torch.randperm(len(x)).split(24):
            loss = F.cross_entropy(net(x[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()
        with torch.no_grad():
            accuracy = (net(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1} loss {loss.item():.3f} accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
