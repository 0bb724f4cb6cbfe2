"""Short codes, nearly binary, for recipes as bags of ingredients; the decoder names the ingredients.

cause: saturated-units
family: autoencoder
metric: binary cross-entropy, lower
repair:
    - SHARPNESS = 100.0
    + SHARPNESS = 1.0
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

INGREDIENTS, KITCHENS, BITS = 80, 16, 24
SHARPNESS = 100.0


def recipes(count, rng, taste):
    """Every recipe mixes two kitchens; an ingredient's chance is the larger of the two."""
    pair = rng.integers(0, KITCHENS, (count, 2))
    chance = np.maximum(taste[pair[:, 0]], taste[pair[:, 1]])
    return torch.tensor((rng.random((count, INGREDIENTS)) < chance).astype(np.float32))


class Hasher(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(INGREDIENTS, 64)
        self.bits = nn.Linear(64, BITS)
        self.decoder = nn.Sequential(nn.Linear(BITS, 64), nn.ReLU(), nn.Linear(64, INGREDIENTS))

    def code(self, x):
        return torch.sigmoid(SHARPNESS * self.bits(torch.tanh(self.hidden(x))))

    def forward(self, x):
        return self.decoder(self.code(x))


def loop(model, data, optimizer, epochs):
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(data)).split(64):
            loss = F.binary_cross_entropy_with_logits(model(data[rows]), data[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        scheduler.step()
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: {total / len(data):.4f}")


def main():
    rng = np.random.default_rng(13)
    torch.manual_seed(13)
    taste = np.where(rng.random((KITCHENS, INGREDIENTS)) < 0.15, 0.98, 0.002)
    train, test = recipes(3000, rng, taste), recipes(600, rng, taste)
    model = Hasher()
    loop(model, train, torch.optim.Adamax(model.parameters(), lr=1e-2), epochs=30)
    with torch.no_grad():
        code = model.code(test)
        print(f"bits between 0.1 and 0.9: {((code > 0.1) & (code < 0.9)).float().mean():.3f}")
        print(f"metric: {F.binary_cross_entropy_with_logits(model(test), test).item():.4f}")


if __name__ == "__main__":
    main()
