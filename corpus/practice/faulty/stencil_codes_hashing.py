"""Binary codes by which a workshop finds a stencil again: an autoencoder with sampled bits.

cause: training-in-eval-mode
family: autoencoder
metric: reconstruction error, lower
repair:
    - for epoch in range(epochs):
    + hasher.train()
    + for epoch in range(epochs):
"""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


class Bits(nn.Module):
    """Samples bits with a straight-through gradient while learning; afterwards a plain threshold."""

    def forward(self, logits):
        if not self.training:
            return (logits > 0).to(logits.dtype)
        chance = torch.sigmoid(logits)
        return torch.bernoulli(chance).detach() + chance - chance.detach()


class Hasher(nn.Module):
    def __init__(self, pixels=64, bits=24, width=96):
        super().__init__()
        self.to_bits = nn.Sequential(nn.Linear(pixels, width), nn.LeakyReLU(), nn.Linear(width, bits), Bits())
        self.from_bits = nn.Sequential(nn.Linear(bits, width), nn.LeakyReLU(), nn.Linear(width, pixels))

    def forward(self, x):
        return self.from_bits(self.to_bits(x))


def report(hasher, stencils, kinds, title):
    """Restoring error, and how often the next stencil by Hamming distance is of the same kind."""
    hasher.eval()
    with torch.inference_mode():
        code = hasher.to_bits(stencils)
        error = F.mse_loss(hasher.from_bits(code), stencils).item()
        distance = torch.cdist(code, code, p=1).fill_diagonal_(float("inf"))
        same = (kinds[distance.argmin(1)] == kinds).float().mean().item()
    print(f"{title}: error {error:.5f}, next of the same kind {same:.3f}")
    return error


def learn(hasher, stencils, epochs=35, lr=2e-3):
    optimizer = torch.optim.Adam(hasher.parameters(), lr=lr)
    loader = DataLoader(stencils, batch_size=50, shuffle=True)
    for epoch in range(epochs):
        total = 0.0
        for batch in loader:
            loss = F.mse_loss(hasher(batch), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        if epoch % 7 == 6:
            print(f"{epoch + 1:3d}: {total / len(loader):.5f}")


def main():
    torch.manual_seed(44)
    bunch = load_digits()
    stencils = torch.tensor(bunch.data, dtype=torch.float32) / 8 - 1
    kinds = torch.tensor(bunch.target)
    hasher = Hasher()
    report(hasher, stencils[1400:], kinds[1400:], "before")
    learn(hasher, stencils[:1400])
    print(f"metric: {report(hasher, stencils[1400:], kinds[1400:], 'after'):.5f}")


main()
