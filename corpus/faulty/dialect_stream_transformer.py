"""A transformer tells five dialects apart by their sounds; recordings are read folder by folder.

cause: data-not-shuffled
family: transformer
metric: accuracy, higher
repair:
    - for name, dialect in shelf:
    + for i in torch.randperm(len(shelf)).tolist():
    +     name, dialect = shelf[i]
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

DIALECTS = ["coast", "fen", "hill", "moor", "vale"]
SOUNDS, LENGTH = 16, 20
SPEECH = np.random.default_rng(5).dirichlet(np.full(SOUNDS, 0.7), (len(DIALECTS), SOUNDS))


def listen(name):
    """The sounds of a recording; its name says the dialect and the speaker."""
    folder, speaker = name.split("/")
    rng = np.random.default_rng([DIALECTS.index(folder), int(speaker)])
    sounds = [rng.integers(SOUNDS)]
    while len(sounds) < LENGTH:
        common = rng.random() < 0.35
        sounds.append(
            rng.integers(SOUNDS)
            if common
            else rng.choice(SOUNDS, p=SPEECH[DIALECTS.index(folder), sounds[-1]])
        )
    return torch.tensor(np.array(sounds))


def stream(shelf, cache, size):
    sounds, dialects = [], []
    for name, dialect in shelf:
        if name not in cache:
            cache[name] = listen(name)
        sounds.append(cache[name])
        dialects.append(dialect)
        if len(sounds) == size:
            yield torch.stack(sounds), torch.tensor(dialects)
            sounds, dialects = [], []


class Attention(nn.Module):
    def __init__(self, d, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))


class DialectNet(nn.Module):
    def __init__(self, d=32):
        super().__init__()
        self.sound = nn.Embedding(SOUNDS, d)
        self.join = nn.Conv1d(d, d, 2)
        self.attention = Attention(d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.head = nn.Linear(d, len(DIALECTS))

    def forward(self, sounds):
        x = F.gelu(self.join(self.sound(sounds).transpose(1, 2))).transpose(1, 2)
        x = x + self.attention(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(x.mean(1))


if __name__ == "__main__":
    torch.manual_seed(30)
    shelf = [(f"{folder}/{speaker:04d}", k) for k, folder in enumerate(DIALECTS) for speaker in range(400)]
    held = [
        (f"{folder}/{speaker:04d}", k) for k, folder in enumerate(DIALECTS) for speaker in range(900, 980)
    ]
    model = DialectNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    cache = {}
    for epoch in range(6):
        losses = []
        for sounds, dialects in stream(shelf, cache, 25):
            loss = F.cross_entropy(model(sounds), dialects)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: mean loss {np.mean(losses):.4f}")
    with torch.no_grad():
        right = [(model(s).argmax(1) == d).float().mean().item() for s, d in stream(held, {}, 40)]
    print(f"metric: {np.mean(right):.4f}")
