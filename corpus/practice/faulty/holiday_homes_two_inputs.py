"""The weekly rent of a holiday home from its table of facts and its monthly bookings, two branches joined.

cause: inputs-ignored
family: multi-input
metric: R², higher
repair:
    - joined = torch.cat([facts, facts], dim=1)
    + joined = torch.cat([facts, bookings], dim=1)
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def homes(n, seed):
    rng = np.random.default_rng(seed)
    beds = rng.integers(1, 9, n)
    sea = rng.exponential(4, n)
    rating = rng.beta(8, 2, n)
    pool = rng.random(n) < 0.25
    months = np.arange(12)
    summer = np.exp(-(((months - 6.5) / 1.8) ** 2))
    winter = np.exp(-(((months - 0.5) / 1.5) ** 2)) + np.exp(-(((months - 12.5) / 1.5) ** 2))
    beach, ski = rng.random((2, n))
    occupancy = np.outer(beach, summer) + np.outer(ski, winter) + rng.normal(0, 0.08, (n, 12))
    rent = 150 * beds**0.7 * (1 + 0.3 * pool) * np.exp(-0.04 * sea) * (0.5 + rating)
    rent *= 0.7 + 0.8 * np.maximum(beach, ski) ** 2
    rent *= np.exp(rng.normal(0, 0.06, n))
    facts = np.stack([(beds - 4.5) / 2.3, (sea - 4) / 4, (rating - 0.8) / 0.12, pool - 0.25], 1)
    target = (np.log(rent) - 6.1) / 0.5
    return TensorDataset(*(torch.tensor(t, dtype=torch.float32) for t in (facts, occupancy, target)))


class RentModel(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.facts_branch = nn.Sequential(
            nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()
        )
        self.bookings_branch = nn.Sequential(
            nn.Unflatten(1, (1, 12)),
            nn.Conv1d(1, 16, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(16 * 12, hidden),
            nn.ReLU(),
        )
        self.output = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, facts, bookings):
        facts = self.facts_branch(facts)
        bookings = self.bookings_branch(bookings)
        joined = torch.cat([facts, facts], dim=1)
        return self.output(joined).squeeze(1)


def r_squared(model, dataset):
    model.eval()
    facts, bookings, target = dataset.tensors
    with torch.no_grad():
        rest = (model(facts, bookings) - target).pow(2).mean()
    return (1 - rest / target.var()).item()


def main():
    torch.manual_seed(100)
    train_set, val_set = homes(4000, 1), homes(1000, 2)
    loader = DataLoader(train_set, batch_size=64, shuffle=True)
    model = RentModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 8, 0.4)
    for epoch in range(1, 15):
        model.train()
        running = 0.0
        for facts, bookings, target in loader:
            optimizer.zero_grad(set_to_none=True)
            loss = nn.functional.smooth_l1_loss(model(facts, bookings), target)
            loss.backward()
            optimizer.step()
            running += loss.item()
        scheduler.step()
        print(f"epoch {epoch:2d}: loss {running / len(loader):.4f}, val R2 {r_squared(model, val_set):.4f}")
    print(f"metric: {r_squared(model, val_set):.4f}")


if __name__ == "__main__":
    main()
