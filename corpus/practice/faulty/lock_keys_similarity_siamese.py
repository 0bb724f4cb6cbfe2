"""How alike two keys are, from their profiles, by two towers that share their weights.

cause: loss-broadcast
family: siamese
metric: rank correlation, higher
repair:
    - score = torch.tensor([self.scores[i]])
    + score = torch.tensor(self.scores[i])
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

PINS, POINTS = 8, 64


class KeyPairs(Dataset):
    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        first = rng.integers(0, 6, (n, PINS))
        changed = rng.random((n, PINS)) < rng.random((n, 1))
        second = np.where(changed, rng.integers(0, 6, (n, PINS)), first)
        difference = np.abs(first - second).mean(1)
        self.scores = (1 - difference / 2.2).clip(-1, 1).astype("float32")
        self.left, self.right = self.profile(first, rng), self.profile(second, rng)

    @staticmethod
    def profile(pins, rng):
        cuts = np.repeat(pins, POINTS // PINS, axis=1) / 5.0 - 0.5
        kernel = np.array([0.2, 0.6, 0.2])
        cuts = np.stack([np.convolve(row, kernel, mode="same") for row in cuts])
        cuts += rng.normal(0, 0.1, cuts.shape) + rng.normal(0, 0.15, (len(cuts), 1))
        return torch.tensor(cuts, dtype=torch.float32)

    def __len__(self):
        return len(self.scores)

    def __getitem__(self, i):
        score = torch.tensor([self.scores[i]])
        return self.left[i], self.right[i], score


class Tower(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(POINTS, 128),
            nn.LayerNorm(128),
            nn.GELU(),
            nn.Linear(128, 64),
            nn.GELU(),
            nn.Linear(64, dim),
        )

    def forward(self, a, b):
        return F.cosine_similarity(self.layers(a), self.layers(b), dim=-1)


def spearman(model, pairs):
    model.eval()
    with torch.no_grad():
        guess = model(pairs.left, pairs.right).numpy()
    ranks = [np.argsort(np.argsort(v)) for v in (guess, pairs.scores)]
    return float(np.corrcoef(*ranks)[0, 1])


def run(epochs=14, lr=1e-3):
    torch.manual_seed(88)
    train_pairs, test_pairs = KeyPairs(3000, 880), KeyPairs(800, 881)
    loader = DataLoader(train_pairs, batch_size=50, shuffle=True)
    model = Tower()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        losses = []
        for a, b, score in loader:
            optimizer.zero_grad()
            similarity = model(a, b)
            loss = ((similarity - score) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"{epoch + 1:02d}: loss {np.mean(losses):.4f}, spearman {spearman(model, test_pairs):.4f}")
    print(f"metric: {spearman(model, test_pairs):.4f}")


if __name__ == "__main__":
    run()
