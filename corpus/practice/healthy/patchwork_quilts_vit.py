"""Patchwork quilt patterns told apart by a small vision transformer with warm-up and a cosine.

family: transformer
metric: accuracy, higher
"""

import math

import numpy as np
import torch
from torch import nn


def quilt(kind, rng):
    cells = rng.normal(0, 1, (6, 6))
    i, j = np.mgrid[0:6, 0:6]
    if kind == 0:
        cells = np.where((i + j) % 2, 1.0, -1.0) * rng.choice([-1, 1])
    elif kind == 1:
        cells = np.sign(np.sin((i + rng.integers(3)) * 2.1)) * np.ones((6, 6))
    elif kind == 2:
        cells = np.maximum(np.abs(i - 2.5), np.abs(j - 2.5)) % 2 - 1.0
    elif kind == 3:
        cells = np.sign(np.sin((i + j + rng.integers(3)) * 2.1))
    return np.kron(cells, np.ones((4, 4))) * rng.uniform(0.6, 1.2) + rng.normal(0, 0.35, (24, 24))


def batch_of(n, rng):
    y = rng.integers(0, 5, n)
    x = np.stack([quilt(k, rng) for k in y])
    return torch.tensor(x, dtype=torch.float32)[:, None], torch.tensor(y)


class TinyViT(nn.Module):
    def __init__(self, dim=32, depth=2, heads=4, patch=4):
        super().__init__()
        self.patchify = nn.Conv2d(1, dim, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.randn(1, 37, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, heads, 2 * dim, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 5)

    def forward(self, x):
        x = self.patchify(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.encoder(x)[:, 0]))


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x, y = batch_of(2400, rng)
    x_test, y_test = batch_of(600, rng)
    model = TinyViT()
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0}], 2e-3
    )
    epochs, batch = 5, 48
    total = epochs * (len(x) // batch)

    def factor(step):
        if step < 40:
            return (step + 1) / 40
        return 0.5 * (1 + math.cos(math.pi * (step - 40) / (total - 40)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for epoch in range(epochs):
        model.train()
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch}: loss {loss.item():.3f} accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
