"""A siamese network brings signatures of one hand together and pushes those of different hands apart.

cause: not-finite
family: siamese
metric: accuracy, higher
repair:
    - distance = (a - b).pow(2).sum(dim=1).sqrt()
    + distance = ((a - b).pow(2).sum(dim=1) + 1e-8).sqrt()
"""

import numpy as np
import torch
import torch.nn as nn

HANDS, EACH, POINTS = 30, 300, 24


def signatures(rng):
    """Every hand has a curve of its own, written with some variation."""
    t = np.linspace(0, 2 * np.pi, POINTS)
    waves = np.stack([np.sin(k * t) for k in range(1, 5)] + [np.cos(k * t) for k in range(1, 5)])
    hand = rng.normal(size=(HANDS, 1, 2, 8))
    written = hand + 0.45 * rng.normal(size=(HANDS, EACH, 2, 8))
    curves = written @ waves + 0.3 * rng.normal(size=(HANDS, EACH, 2, POINTS))
    return torch.tensor(curves.reshape(HANDS, EACH, -1) / 3, dtype=torch.float32)


class Encoder(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2 * POINTS, 64), nn.ReLU(), nn.Linear(64, dim))

    def forward(self, x):
        return self.net(x)


class ContrastiveLoss(nn.Module):
    def __init__(self, margin=1.5):
        super().__init__()
        self.margin = margin

    def forward(self, a, b, different):
        distance = (a - b).pow(2).sum(dim=1).sqrt()
        near = (1 - different) * distance.pow(2)
        far = different * (self.margin - distance).clamp(min=0).pow(2)
        return 0.5 * (near + far).mean()


def sample_pairs(data, n):
    hands, each = data.shape[:2]
    h1 = torch.randint(hands, (n,))
    different = torch.arange(n) % 2
    h2 = torch.where(different == 1, (h1 + torch.randint(1, hands, (n,))) % hands, h1)
    s1, s2 = torch.randint(each, (2, n))
    return data[h1, s1], data[h2, s2], different.float()


def nearest_hand(encoder, data):
    """How often a signature lies nearest to the mean of its own hand."""
    with torch.no_grad():
        codes = encoder(data)
    known, asked = codes[:, :4].mean(1), codes[:, 4:]
    distances = torch.cdist(asked.flatten(0, 1), known)
    owner = torch.arange(len(data)).repeat_interleave(asked.shape[1])
    return (distances.argmin(1) == owner).float().mean().item()


if __name__ == "__main__":
    rng = np.random.default_rng(6)
    torch.manual_seed(6)
    data = signatures(rng)
    train, test = data[:20], data[20:]
    encoder, criterion = Encoder(), ContrastiveLoss()
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
    for step in range(1, 801):
        a, b, different = sample_pairs(train, 32)
        loss = criterion(encoder(a), encoder(b), different)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}, new hands {nearest_hand(encoder, test):.3f}")
    print(f"metric: {nearest_hand(encoder, test):.4f}")
