"""Sketches and their short captions meet in one space: two encoders and a symmetric contrastive loss.

family: contrastive
metric: retrieval accuracy among 50, higher
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

SHAPES, PLACES, SIZES, FILLS = 3, 5, 2, 2
WORDS = ["a", "small", "big", "hollow", "full", "circle", "square", "cross", "top", "bottom", "left", "right"]
WORDS += ["middle", "at", "the"]
INDEX = {w: i for i, w in enumerate(WORDS)}
PLACE_WORDS = ["top", "bottom", "left", "right", "middle"]


def pair(rng, size=16):
    shape, place, large, full = (int(rng.integers(k)) for k in (SHAPES, PLACES, SIZES, FILLS))
    centre = np.array([(4, 8), (11, 8), (8, 4), (8, 11), (8, 8)][place]) + rng.normal(0, 0.4, 2)
    radius = (2.2, 4.0)[large] * rng.uniform(0.9, 1.1)
    rows, columns = np.mgrid[0:size, 0:size]
    dy, dx = np.abs(rows - centre[0]), np.abs(columns - centre[1])
    reach = [np.hypot(dy, dx), np.maximum(dy, dx), np.where(np.minimum(dy, dx) < 1, np.maximum(dy, dx), 99)][
        shape
    ]
    ink = reach < radius if full else np.abs(reach - radius) < 0.8
    words = [("small", "big")[large], ("hollow", "full")[full], ("circle", "square", "cross")[shape]]
    tail = ["at", "the", PLACE_WORDS[place]]
    words = ["a", *words, *tail] if rng.random() < 0.5 else [*tail, "a", *words]
    picture = ink + rng.normal(0, 0.2, ink.shape)
    return picture.astype(np.float32), [INDEX[w] for w in words], (shape, place, large, full)


class Pictures(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(32 * 16, width),
        )  # fmt: skip

    def forward(self, x):
        return F.normalize(self.conv(x.unsqueeze(1)), dim=1)


class Captions(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embedding = nn.EmbeddingBag(len(WORDS), 64)
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(64, width))

    def forward(self, ids):
        return F.normalize(self.project(self.embedding(ids)), dim=1)


def collect(n, seed):
    rng = np.random.default_rng(seed)
    rows = [pair(rng) for _ in range(n)]
    keys = torch.tensor([r[2] for r in rows])
    return torch.tensor(np.stack([r[0] for r in rows])), torch.tensor([r[1] for r in rows]), keys


def main():
    torch.manual_seed(15)
    pictures, captions, _ = collect(2000, 1)
    test_pictures, test_captions, keys = collect(400, 2)
    see, read = Pictures(32), Captions(32)
    log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
    params = [*see.parameters(), *read.parameters(), log_scale]
    optimizer = torch.optim.AdamW(params, lr=3e-3, weight_decay=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 400)

    def retrieval():
        with torch.no_grad():
            score = see(test_pictures) @ read(test_captions).T
        right = 0
        for k in range(0, 400, 50):
            best = score[k : k + 50, k : k + 50].argmax(1) + k
            right += (keys[best] == keys[k : k + 50]).all(1).sum().item()
        return right / 400

    for epoch in range(10):
        losses = []
        for rows in torch.randperm(2000).split(50):
            logits = log_scale.exp().clamp(max=100) * see(pictures[rows]) @ read(captions[rows]).T
            target = torch.arange(len(rows))
            loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}, found {retrieval():.3f}")
    print(f"metric: {retrieval():.4f}")


if __name__ == "__main__":
    main()
