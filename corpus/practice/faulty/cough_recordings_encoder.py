"""Dry, wet and whooping coughs and plain talk, by an encoder of frames and a small head.

cause: frozen-parameters
family: cnn
metric: accuracy, higher
repair:
    - with torch.no_grad():
    -     h = self.encoder(frames)
    + h = self.encoder(frames)
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

CLASSES = ["dry", "wet", "whooping", "talk"]
BANDS, FRAMES = 32, 40


def recording(kind, rng):
    """A picture of band energies in decibels over a little more than a second."""
    t = np.arange(FRAMES)[None]
    f = np.arange(BANDS)[:, None]
    image = rng.normal(-60, 5, (BANDS, FRAMES)) - 0.3 * f
    start = rng.integers(3, 12)
    tilt = rng.normal(0, 0.25)
    if kind == 3:
        pitch = rng.uniform(4, 6)
        for syllable in range(3):
            at = start + syllable * rng.uniform(7, 10)
            shape = np.exp(-(((t - at) / 2.5) ** 2))
            image = image + 18 * shape * (np.cos(2 * np.pi * f / pitch) > 0) * np.exp(-f / 25)
    else:
        decay = {0: rng.uniform(2.5, 5), 1: rng.uniform(4, 8), 2: rng.uniform(3, 6)}[kind]
        burst = np.where(t >= start, np.exp(-(t - start) / decay), 0)
        image = image + rng.uniform(18, 28) * burst * (1 + 0 * f)
        if kind == 1:
            crackle = (rng.random((BANDS, FRAMES)) < 0.25) * (t > start) * (t < start + 14)
            image = image + 9 * crackle * (f < 18)
        if kind == 2:
            ridge = 8 + 0.5 * (t - start - 8)
            on = (t > start + 8) & (t < start + 20)
            image = image + 14 * on * np.exp(-(((f - ridge) / 1.3) ** 2))
    return image + tilt * f


def make_data(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(CLASSES), n)
    x = np.stack([recording(k, rng) for k in y])
    return torch.tensor((x + 58) / 10, dtype=torch.float32).unsqueeze(1), torch.tensor(y)


class Encoder(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.c1 = nn.Conv2d(1, width, 5, stride=2, padding=2)
        self.c2 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.c3 = nn.Conv2d(2 * width, 2 * width, 3, stride=2, padding=1)

    def forward(self, x):
        x = F.gelu(self.c1(x))
        x = F.gelu(self.c2(x))
        return F.gelu(self.c3(x)).mean((2, 3))


class CoughClassifier(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, len(CLASSES)))

    def forward(self, frames):
        with torch.no_grad():
            h = self.encoder(frames)
        return self.head(h)


def run():
    torch.manual_seed(77)
    x, y = make_data(1500, 5)
    x_val, y_val = make_data(500, 6)
    model = CoughClassifier(Encoder())
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    steps, batch_size = 900, 32
    for step in range(1, steps + 1):
        model.train()
        index = torch.randint(0, len(x), (batch_size,))
        loss = F.cross_entropy(model(x[index]), y[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            model.eval()
            with torch.no_grad():
                accuracy = (model(x_val).argmax(1) == y_val).float().mean().item()
            print(f"step {step}: loss {loss.item():.4f} validation accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    run()
