"""Whether the favourite loses a tennis match by more than the bookmaker expects: there is little to know.

family: mlp
metric: gain in log loss over the bookmaker in thousandths, higher
"""

import numpy as np
import torch
from torch import nn


class Matches:
    """The bookmaker's odds hold nearly all that can be known; fatigue and surface add a little."""

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        odds = rng.normal(0.7, 0.6, n)
        rest = rng.normal(0, 1, n)
        surface = rng.integers(0, 3, n)
        height = rng.normal(0, 1, n)
        form = rng.normal(0, 1, (n, 6))
        logit = odds + 0.22 * np.tanh(rest) + 0.2 * height * (surface == 0) - 0.15 * form[:, 0]
        self.won = torch.tensor(rng.random(n) < 1 / (1 + np.exp(-logit)), dtype=torch.float32)
        self.odds = torch.tensor(odds, dtype=torch.float32)
        columns = [odds - 0.7, rest, height, *np.eye(3)[surface].T, *form.T]
        self.features = torch.tensor(np.stack(columns, 1), dtype=torch.float32)


class Correction(nn.Module):
    """Adds a small correction to the bookmaker's log-odds; it starts at none."""

    def __init__(self, n_in):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, 32), nn.SiLU(), nn.Linear(32, 1))
        nn.init.zeros_(self.net[-1].weight)
        nn.init.zeros_(self.net[-1].bias)

    def forward(self, features, odds):
        return odds + self.net(features).squeeze(1)


def main():
    torch.manual_seed(6)
    train, test = Matches(24000, 6), Matches(24000, 7)
    bce = nn.functional.binary_cross_entropy_with_logits
    bookmaker = bce(test.odds, test.won).item()
    model = Correction(train.features.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.1)
    for epoch in range(5):
        losses = []
        for rows in torch.randperm(len(train.won)).split(96):
            loss = bce(model(train.features[rows], train.odds[rows]), train.won[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            gain = 1000 * (bookmaker - bce(model(test.features, test.odds), test.won).item())
        print(f"epoch {epoch + 1}: training loss {np.mean(losses):.4f}, gain over the odds {gain:.2f}")
    print(f"metric: {gain:.3f}")


if __name__ == "__main__":
    main()
