"""Asking prices of flats from the advertisement's words and its table of facts.

cause: inputs-ignored
family: mlp
metric: mean absolute error, lower
repair:
    - joined = torch.cat([parts["facts"], parts["facts"]], dim=-1)
    + joined = torch.cat([parts["words"], parts["facts"]], dim=-1)
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

PHRASES = {
    "sea view": 0.5, "newly renovated": 0.35, "parking": 0.18, "quiet street": 0.1,
    "balcony": 0.15, "lift": 0.1,
    "needs work": -0.5, "ground floor": -0.12, "shared bathroom": -0.4, "busy road": -0.25, "attic": -0.1,
    "fireplace": 0.08, "student let": -0.2, "designer kitchen": 0.3, "no heating": -0.35, "pets welcome": 0.0,
    "close to school": 0.05, "bright": 0.05, "must be seen": 0.0, "call now": 0.0,
}  # fmt: skip
VALUES = np.array(list(PHRASES.values()))


@dataclass
class Listings:
    bags: Tensor  # (n, 6) numbers of phrases
    facts: Tensor  # (n, 4) area, rooms, distance to the centre, year
    price: Tensor  # (n,) logarithm of the price, standardised


def download(n: int, seed: int = 0) -> Listings:
    rng = np.random.default_rng(seed)
    bags = np.stack([rng.choice(len(VALUES), 6, replace=False) for _ in range(n)])
    area = rng.gamma(8, 9, n)
    rooms = np.clip(np.round(area / 24 + rng.normal(0, 0.6, n)), 1, 7)
    distance = rng.exponential(4, n)
    year = rng.integers(1900, 2024, n)
    price = 0.8 * np.log(area) - 0.07 * distance + 0.002 * np.abs(year - 1960) + VALUES[bags].sum(1)
    price += rng.normal(0, 0.08, n)
    facts = np.c_[np.log(area), rooms, distance, year]
    facts = (facts - facts.mean(0)) / facts.std(0)
    price = (price - price.mean()) / price.std()
    return Listings(
        torch.from_numpy(bags),
        torch.tensor(facts, dtype=torch.float32),
        torch.tensor(price, dtype=torch.float32),
    )


class PriceModel(nn.Module):
    def __init__(self, n_phrases: int, dim: int = 32):
        super().__init__()
        self.words = nn.EmbeddingBag(n_phrases, dim, mode="sum")
        self.facts = nn.Sequential(nn.Linear(4, dim), nn.GELU(), nn.Linear(dim, dim))
        self.norm = nn.LayerNorm(2 * dim)
        self.head = nn.Sequential(nn.Linear(2 * dim, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, 1))

    def forward(self, bags: Tensor, facts: Tensor) -> Tensor:
        parts = {"words": self.words(bags), "facts": self.facts(facts)}
        joined = torch.cat([parts["facts"], parts["facts"]], dim=-1)
        return self.head(self.norm(joined)).squeeze(-1)


def main() -> None:
    torch.manual_seed(4)
    data = download(4000)
    split = 3400
    model = PriceModel(len(PHRASES))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    steps_per_epoch, epochs = split // 50, 18
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps_per_epoch * epochs)
    for epoch in range(epochs):
        model.train()
        losses = []
        for rows in torch.randperm(split).split(50):
            loss = nn.functional.smooth_l1_loss(model(data.bags[rows], data.facts[rows]), data.price[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        model.eval()
        with torch.no_grad():
            error = model(data.bags[split:], data.facts[split:]) - data.price[split:]
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, test error {error.abs().mean():.4f}")
    print(f"metric: {error.abs().mean():.4f}")


if __name__ == "__main__":
    main()
