"""The home region of an airline's passenger from the segments flown and the nights stayed.

cause: missing-zero-grad
family: transformer
metric: accuracy, higher
repair:
    - model.classifier.zero_grad()
    + model.zero_grad()
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

AIRPORTS, REGIONS, LENGTH = 60, 6, 10


@dataclass
class Config:
    d_model: int = 48
    heads: int = 4
    layers: int = 2
    dropout: float = 0.1
    lr: float = 1e-3
    batch_size: int = 64
    epochs: int = 8


def trips(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    region_of = np.random.default_rng(0).integers(0, REGIONS, AIRPORTS)
    airports = rng.integers(0, AIRPORTS, (n, LENGTH))
    home = rng.integers(0, REGIONS, n)
    at_home = rng.random((n, LENGTH)) < 0.25
    for r in range(REGIONS):
        where = at_home & (home == r)[:, None]
        airports[where] = rng.choice(np.flatnonzero(region_of == r), where.sum())
    nights = rng.integers(1, 8, (n, LENGTH))
    stayed = np.zeros((n, REGIONS))
    for t in range(LENGTH):
        np.add.at(stayed, (np.arange(n), region_of[airports[:, t]]), nights[:, t])
    label = stayed.argmax(1)
    return (
        torch.from_numpy(airports),
        torch.tensor(nights / 7.0, dtype=torch.float32),
        torch.from_numpy(label),
    )


class SegmentEncoder(nn.Module):
    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.airport = nn.Embedding(AIRPORTS, cfg.d_model)
        self.nights = nn.Linear(1, cfg.d_model)
        layer = nn.TransformerEncoderLayer(
            cfg.d_model, cfg.heads, 2 * cfg.d_model, cfg.dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, cfg.layers, enable_nested_tensor=False)
        self.classifier = nn.Sequential(nn.LayerNorm(cfg.d_model), nn.Linear(cfg.d_model, REGIONS))

    def forward(self, airports: Tensor, nights: Tensor) -> Tensor:
        h = self.airport(airports) + self.nights(nights.unsqueeze(-1))
        return self.classifier(self.encoder(h).mean(dim=1))


def accuracy(model: nn.Module, data: tuple[Tensor, Tensor, Tensor]) -> float:
    model.eval()
    with torch.no_grad():
        guess = model(data[0], data[1]).argmax(-1)
    return (guess == data[2]).float().mean().item()


def main(cfg: Config) -> None:
    torch.manual_seed(31)
    train, test = trips(4000, 1), trips(1000, 2)
    model = SegmentEncoder(cfg)
    optimizer = torch.optim.AdamW(model.parameters(), lr=cfg.lr, weight_decay=0.01)
    for epoch in range(cfg.epochs):
        model.train()
        losses = []
        for idx in torch.randperm(len(train[2])).split(cfg.batch_size):
            airports, nights, label = (t[idx] for t in train)
            loss = nn.functional.cross_entropy(model(airports, nights), label)
            model.classifier.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"[{epoch + 1}/{cfg.epochs}] loss={np.mean(losses):.4f} val_acc={accuracy(model, test):.4f}")
    print(f"metric: {accuracy(model, test):.4f}")


if __name__ == "__main__":
    main(Config())
