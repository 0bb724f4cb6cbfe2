"""Minutes of delay of trains at their last stop, learnt by a small trainer class.

family: mlp
metric: mean absolute error (min), lower
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


@dataclass
class Config:
    epochs: int = 15
    batch_size: int = 64
    lr: float = 3e-3
    weight_decay: float = 1e-4
    hidden: int = 64
    seed: int = 23


class DelayNet(nn.Module):
    def __init__(self, lines, numbers, hidden):
        super().__init__()
        self.line = nn.Embedding(lines, 6)
        self.body = nn.Sequential(
            nn.Linear(6 + numbers, hidden), nn.LayerNorm(hidden), nn.GELU(),
            nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, line, x):
        return self.body(torch.cat([self.line(line), x], dim=1)).squeeze(1)


class Trainer:
    def __init__(self, model, config, train, valid):
        self.model, self.config = model, config
        self.train_loader = DataLoader(train, config.batch_size, shuffle=True)
        self.valid_loader = DataLoader(valid, 256)
        self.optimizer = torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay)
        steps = config.epochs * len(self.train_loader)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.criterion = nn.SmoothL1Loss()

    def fit(self):
        for epoch in range(self.config.epochs):
            self.model.train()
            total = 0.0
            for line, x, y in self.train_loader:
                self.optimizer.zero_grad(set_to_none=True)
                loss = self.criterion(self.model(line, x), y)
                loss.backward()
                self.optimizer.step()
                self.scheduler.step()
                total += loss.item()
            print(
                f"epoch {epoch}: loss {total / len(self.train_loader):.4f}, valid {self.validate():.3f} min"
            )

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        wrong = [(self.model(line, x) - y).abs() for line, x, y in self.valid_loader]
        return torch.cat(wrong).mean().item()


def trains(n=6000, lines=24):
    rng = np.random.default_rng(5)
    line_effect = rng.gamma(2, 1.0, lines)
    line = rng.integers(0, lines, n)
    stops = rng.integers(4, 25, n)
    start_delay = rng.exponential(2.5, n)
    snow = (rng.random(n) < 0.15).astype(float)
    rush = (rng.random(n) < 0.3).astype(float)
    slack = rng.uniform(0, 5, n)
    delay = np.maximum(start_delay + line_effect[line] * (1 + 0.8 * rush) + 0.25 * stops * snow - slack, 0)
    delay += rng.normal(0, 0.8, n)
    x = np.column_stack([stops, start_delay, snow, rush, slack])
    x = (x - x.mean(0)) / x.std(0)
    return TensorDataset(
        torch.tensor(line), torch.tensor(x, dtype=torch.float32), torch.tensor(delay, dtype=torch.float32)
    )


if __name__ == "__main__":
    config = Config()
    torch.manual_seed(config.seed)
    train, valid = random_split(trains(), [4800, 1200])
    trainer = Trainer(DelayNet(24, 5, config.hidden), config, train, valid)
    trainer.fit()
    print(f"metric: {trainer.validate():.4f}")
