"""Waveforms without labels: views of each are drawn together (SimCLR); a linear probe names the instrument.

family: siamese
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LENGTH = 96


def instruments(count, rng):
    """Sine, square, sawtooth, triangle and pulse, at any pitch, phase and loudness."""
    kind = rng.integers(0, 5, count)
    cycles = rng.uniform(2, 6, (count, 1)) * np.linspace(0, 1, LENGTH) + rng.uniform(0, 1, (count, 1))
    phase = cycles % 1
    waves = [
        np.sin(2 * np.pi * phase),
        np.where(phase < 0.5, 1.0, -1.0),
        2 * phase - 1,
        4 * np.abs(phase - 0.5) - 1,
        np.where(phase < 0.15, 2.0, -0.35),
    ]
    x = np.choose(kind[:, None], waves)
    return torch.tensor(x, dtype=torch.float32).unsqueeze(1), torch.tensor(kind)


def view(x):
    """Another recording: louder or softer, shifted, noisy."""
    shift = torch.randint(0, LENGTH, (1,)).item()
    gain = 0.6 + 0.8 * torch.rand(len(x), 1, 1)
    return gain * x.roll(shift, 2) + 0.15 * torch.randn_like(x)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, 32, 7, stride=2, padding=3),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Conv1d(32, 64, 5, stride=2, padding=2),
            nn.BatchNorm1d(64),
            nn.ReLU(),
            nn.Conv1d(64, 64, 3, padding=1),
            nn.BatchNorm1d(64),
            nn.ReLU(),
        )

    def forward(self, x):
        h = self.net(x)
        return torch.cat([h.mean(2), h.amax(2)], 1)


def info_nce(a, b, temperature=0.2):
    z = F.normalize(torch.cat([a, b]), dim=1)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(float("-inf"))
    partner = torch.arange(len(z)).roll(len(a))
    return F.cross_entropy(similarity, partner)


def pretrain(encoder, x, steps=180):
    head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 32))
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=1e-3)
    for step in range(steps):
        batch = x[torch.randperm(len(x))[:128]]
        loss = info_nce(head(encoder(view(batch))), head(encoder(view(batch))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"contrastive step {step} loss {loss.item():.4f}")


def probe(encoder, x, y, x_test, y_test):
    encoder.eval().requires_grad_(False)
    features, features_test = encoder(x), encoder(x_test)
    mean, std = features.mean(0), features.std(0) + 1e-6
    features, features_test = (features - mean) / std, (features_test - mean) / std
    linear = nn.Linear(128, 5)
    optimizer = torch.optim.AdamW(linear.parameters(), lr=5e-3, weight_decay=0.01)
    for step in range(300):
        loss = F.cross_entropy(linear(features), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"probe step {step} loss {loss.item():.4f}")
    with torch.no_grad():
        return (linear(features_test).argmax(1) == y_test).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(33)
    rng = np.random.default_rng(33)
    unlabelled, _ = instruments(3000, rng)
    encoder = Encoder()
    pretrain(encoder, unlabelled)
    print(f"metric: {probe(encoder, *instruments(400, rng), *instruments(1000, rng)):.4f}")
