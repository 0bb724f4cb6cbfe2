"""Fills the gaps in a kitchen's electricity log: a convolutional network that sees the rest of the day.

cause: loss-broadcast
family: autoencoder
metric: error in the gaps, lower
repair:
    - off = (filled - day).abs()
    + off = (filled.squeeze(1) - day).abs()
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

SLOTS = 96


class KitchenDays(Dataset):
    """Days of quarter hours: a fridge that hums, meals, a kettle, a dishwasher."""

    def __init__(self, days, seed):
        rng = np.random.default_rng(seed)
        t = np.arange(SLOTS)
        log = np.zeros((days, SLOTS))
        for row in log:
            row += 0.4 * (np.sin(2 * np.pi * t / rng.uniform(5, 9) + rng.uniform(0, 6.3)) > 0)
            for meal, strength in ((28, 0.8), (50, 1.2), (74, 1.8)):
                centre, width = meal + rng.normal(0, 4), rng.uniform(2, 5)
                row += strength * rng.uniform(0.3, 1.3) * np.exp(-(((t - centre) / width) ** 2))
            if rng.random() < 0.6:
                start = rng.integers(76, 86)
                row[start : start + 8] += np.array([1, 1, 0.3, 0.3, 0.3, 1, 1, 0.2])
        log += rng.normal(0, 0.03, log.shape)
        self.days = torch.tensor(log - 0.6, dtype=torch.float32)
        self.seen = torch.ones(days, SLOTS)
        for row in self.seen:
            for start in rng.integers(0, SLOTS - 6, 4):
                row[start : start + rng.integers(2, 6)] = 0.0

    def __len__(self):
        return len(self.days)

    def __getitem__(self, i):
        return self.days[i], self.seen[i]


class GapFiller(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(2, width, 5, padding=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, padding=4, dilation=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, padding=8, dilation=4),
            nn.ReLU(),
            nn.Conv1d(width, 1, 5, padding=2),
        )

    def forward(self, day, seen):
        return self.net(torch.stack([day * seen, seen], dim=1))

    def loss(self, day, seen):
        filled = self(day, seen)
        hidden = 1 - seen
        off = (filled - day).abs()
        return (off * (0.1 + hidden)).mean()

    @torch.no_grad()
    def fill(self, day, seen):
        return torch.where(seen.bool(), day, self(day, seen)[:, 0])


def gap_error(model, days):
    guess = model.fill(days.days, days.seen)
    hidden = days.seen == 0
    return (guess - days.days)[hidden].abs().mean().item()


def main(epochs=10, batch_size=32):
    torch.manual_seed(96)
    train, test = KitchenDays(1100, 960), KitchenDays(300, 961)
    model = GapFiller()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, epochs)
    for epoch in range(epochs):
        total = 0.0
        for day, seen in DataLoader(train, batch_size, shuffle=True):
            optimizer.zero_grad()
            loss = model.loss(day, seen)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(day) / len(train)
        schedule.step()
        print(f"epoch {epoch + 1}: loss {total:.4f}, in the gaps {gap_error(model, test):.4f}")
    print(f"metric: {gap_error(model, test):.4f}")


if __name__ == "__main__":
    main()
