"""Stamps of roof tiles as sums of a few strokes: a dictionary and an unrolled sparse encoder (LISTA).

cause: parameters-not-in-optimizer
family: autoencoder
metric: reconstruction error, lower
repair:
    - self.strokes = torch.randn(size, pixels).div(pixels**0.5).requires_grad_()
    + self.strokes = nn.Parameter(torch.randn(size, pixels).div(pixels**0.5))
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn


class Dictionary(nn.Module):
    """Strokes that are laid on top of each other, with non-negative weights."""

    def __init__(self, pixels, size):
        super().__init__()
        self.strokes = torch.randn(size, pixels).div(pixels**0.5).requires_grad_()
        self.ground = nn.Parameter(torch.zeros(pixels))

    def forward(self, weights):
        return weights @ self.strokes + self.ground


class SparseEncoder(nn.Module):
    """Iterative shrinkage with learned matrices, a few rounds of it."""

    def __init__(self, pixels, size, rounds=3):
        super().__init__()
        self.look = nn.Linear(pixels, size, bias=False)
        self.inhibit = nn.Linear(size, size, bias=False)
        self.threshold = nn.Parameter(torch.full((size,), 0.05))
        self.rounds = rounds

    def forward(self, tile):
        drive = self.look(tile)
        weights = F.relu(drive - self.threshold)
        for _ in range(self.rounds):
            weights = F.relu(drive + self.inhibit(weights) - self.threshold)
        return weights


class TileArchive(nn.Module):
    def __init__(self, pixels=64, size=40, sparsity=0.002):
        super().__init__()
        self.encoder = SparseEncoder(pixels, size)
        self.dictionary = Dictionary(pixels, size)
        self.sparsity = sparsity

    def forward(self, tile):
        weights = self.encoder(tile)
        return self.dictionary(weights), weights

    def objective(self, tile):
        restored, weights = self(tile)
        return F.mse_loss(restored, tile) + self.sparsity * weights.abs().mean()


def main():
    torch.manual_seed(71)
    tiles = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    tiles = tiles[torch.randperm(len(tiles))]
    train, test = tiles[:1400], tiles[1400:]
    archive = TileArchive()
    optimizer = torch.optim.Adam(archive.parameters(), lr=2e-3)
    print(f"{sum(p.numel() for p in archive.parameters())} weights")
    for epoch in range(24):
        for batch in train[torch.randperm(len(train))].split(40):
            optimizer.zero_grad()
            archive.objective(batch).backward()
            optimizer.step()
        with torch.no_grad():
            restored, weights = archive(test)
        error = F.mse_loss(restored, test).item()
        if epoch % 5 == 4:
            print(
                f"epoch {epoch + 1}: error {error:.5f}, {(weights > 0).float().mean():.0%} of strokes in use"
            )
    print(f"metric: {error:.6f}")


main()
