"""Prototypical network on dictaphone snippets: new speakers are recognised from three snippets each.

family: siamese
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

BANDS, FRAMES = 20, 24


class Voices:
    """Each voice has formant bands, a pitch band and a tempo; a snippet is a few syllables of it."""

    def __init__(self, n, seed):
        self.rng = np.random.default_rng(seed)
        self.formants = self.rng.normal(0, 1.0, (n, 3, BANDS))
        kernel = np.array([0.2, 0.6, 0.2])
        for voice in self.formants:
            for row in range(3):
                voice[row] = np.convolve(voice[row], kernel, mode="same")
        self.tempo = self.rng.uniform(3, 7, n)

    def snippet(self, k):
        vowel = self.rng.integers(0, 3)
        frames = []
        for t in range(FRAMES):
            if t % max(2, round(self.tempo[k])) == 0:
                vowel = self.rng.integers(0, 3)
            frames.append(self.formants[k, vowel])
        channel = self.rng.normal(0, 0.4, BANDS)
        spec = np.stack(frames, axis=1) + channel[:, None] + self.rng.normal(0, 0.7, (BANDS, FRAMES))
        return spec.astype(np.float32)

    def episode(self, ways, shots, queries):
        chosen = self.rng.choice(len(self.tempo), ways, replace=False)
        x = np.stack([[self.snippet(k) for _ in range(shots + queries)] for k in chosen])
        x = torch.from_numpy(x)
        return x[:, :shots], x[:, shots:]


class Encoder(nn.Module):
    def __init__(self, width=48, dim=32):
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(6, width), nn.GroupNorm(6, width)
        self.project = nn.Linear(2 * width, dim)

    def forward(self, x):
        x = F.silu(self.norm1(self.conv1(x)))
        x = F.silu(self.norm2(self.conv2(x)))
        return self.project(torch.cat([x.mean(2), x.std(2)], dim=1))


def scores(encoder, support, query):
    ways, shots = support.shape[:2]
    prototypes = encoder(support.flatten(0, 1)).view(ways, shots, -1).mean(1)
    return -torch.cdist(encoder(query.flatten(0, 1)), prototypes).pow(2)


def accuracy(encoder, voices, episodes=60):
    encoder.eval()
    right = []
    with torch.no_grad():
        for _ in range(episodes):
            support, query = voices.episode(8, 3, 4)
            labels = torch.arange(8).repeat_interleave(4)
            right.append((scores(encoder, support, query).argmax(1) == labels).float().mean().item())
    encoder.train()
    return float(np.mean(right))


def main():
    torch.manual_seed(70)
    train, unseen = Voices(1200, 1), Voices(40, 2)
    encoder = Encoder()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    labels = torch.arange(8).repeat_interleave(4)
    print(f"before training: {accuracy(encoder, unseen):.3f}")
    for episode in range(1, 451):
        support, query = train.episode(8, 3, 4)
        loss = F.cross_entropy(scores(encoder, support, query), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if episode % 150 == 0:
            now = accuracy(encoder, unseen, 20)
            print(f"episode {episode}: loss {loss.item():.3f}, new speakers {now:.3f}")
    print(f"metric: {accuracy(encoder, unseen):.4f}")


if __name__ == "__main__":
    main()
