"""Who walks? Pairs of accelerometer traces, same person or not, by a siamese net with a contrastive loss.

family: siamese
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LENGTH = 64


class People:
    """Each person has a rhythm of his own: amplitudes and phases of four harmonics."""

    def __init__(self, count, seed):
        self.rng = np.random.default_rng(seed)
        self.amplitude = self.rng.gamma(2.0, 0.5, (count, 4))
        self.phase = self.rng.uniform(0, 2 * np.pi, (count, 4))
        self.tempo = self.rng.uniform(1.5, 3.0, count)

    def walk(self, who):
        t = np.linspace(0, 2 * np.pi, LENGTH)
        start = self.rng.uniform(-0.3, 0.3, (len(who), 1))
        k = np.arange(1, 5)
        angle = (self.tempo[who][:, None] * (t + start))[..., None] * k + self.phase[who][:, None]
        trace = (self.amplitude[who][:, None] / np.sqrt(k) * np.cos(angle)).sum(-1)
        return torch.tensor(trace + self.rng.normal(0, 0.25, trace.shape), dtype=torch.float32).unsqueeze(1)

    def pairs(self, count):
        first = self.rng.integers(0, len(self.tempo), count)
        second = self.rng.integers(0, len(self.tempo), count)
        same = self.rng.random(count) < 0.5
        second[same] = first[same]
        return self.walk(first), self.walk(second), torch.tensor((first == second).astype(np.float32))


class Embedding(nn.Module):
    def __init__(self, dim=16):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv1d(1, 16, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(16, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(32, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
        )
        self.project = nn.Linear(32 * 8, dim)

    def forward(self, x):
        return F.normalize(self.project(self.features(x)), dim=1)


def contrastive_loss(a, b, same, margin=0.8):
    distance = (a - b).square().sum(1).clamp_min(1e-9).sqrt()
    return (same * distance**2 + (1 - same) * F.relu(margin - distance) ** 2).mean()


def main():
    torch.manual_seed(4)
    known, unknown = People(300, 10), People(200, 11)
    net = Embedding()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 700)
    for step in range(700):
        a, b, same = known.pairs(64)
        loss = contrastive_loss(net(a), net(b), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        if step % 100 == 0:
            print(f"step {step} loss {loss.item():.4f}")
    with torch.no_grad():
        a, b, same = known.pairs(1000)
        distance = (net(a) - net(b)).norm(dim=1)
        cuts = torch.linspace(0.05, 1.5, 60)
        scores = torch.stack([((distance < c) == (same > 0.5)).float().mean() for c in cuts])
        threshold = cuts[scores.argmax()]
        a, b, same = unknown.pairs(2000)
        distance = (net(a) - net(b)).norm(dim=1)
        accuracy = ((distance < threshold) == (same > 0.5)).float().mean().item()
    print(f"threshold {threshold:.3f} on people never seen")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
