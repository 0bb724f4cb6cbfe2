"""Visitors of an open-air pool in the coming hour from the last day; a GRU on smoothed counts.

cause: target-leak
family: rnn
metric: mean squared error on the live feed, lower
repair:
    - features = np.column_stack([smooth(counts, centred=True), temperature, clock(len(counts))])
    + features = np.column_stack([smooth(counts, centred=False), temperature, clock(len(counts))])
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

WINDOW = 24
KERNEL = 5


def pool_season(days, rng):
    """Hourly counts: the hour, the weather of the day, and groups that come and stay for some hours."""
    hours = np.arange(days * 24)
    warmth = np.repeat(rng.normal(0, 1, days), 24) + 0.5 * np.sin(2 * np.pi * (hours % 24 - 9) / 24)
    open_now = ((hours % 24) >= 8) & ((hours % 24) < 20)
    curve = np.exp(-(((hours % 24) - 15) ** 2) / 14)
    rate = open_now * curve * np.exp(0.6 * warmth)
    groups = np.zeros(len(hours))
    for t in range(1, len(hours)):
        groups[t] = 0.6 * groups[t - 1] + rng.normal(0, 0.3)
    return rate * 1.5 + groups, warmth


def smooth(x, centred):
    """Running mean over KERNEL hours."""
    pad = (KERNEL // 2, KERNEL // 2) if centred else (KERNEL - 1, 0)
    padded = np.pad(x, pad, mode="edge")
    return np.convolve(padded, np.ones(KERNEL) / KERNEL, mode="valid")


def clock(n):
    h = np.arange(n) % 24
    return np.column_stack([np.sin(2 * np.pi * h / 24), np.cos(2 * np.pi * h / 24)])


def cut_windows(features, counts):
    x = np.stack([features[t - WINDOW : t] for t in range(WINDOW, len(counts))])
    y = counts[WINDOW:, None]
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class VisitorModel(nn.Module):
    def __init__(self, n_features=4, hidden=32):
        super().__init__()
        self.rnn = nn.GRU(n_features, hidden, batch_first=True)
        self.out = nn.Sequential(nn.Linear(hidden, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        _, h = self.rnn(x)
        return self.out(h[-1])


def main():
    torch.manual_seed(34)
    rng = np.random.default_rng(34)
    counts, temperature = pool_season(130, rng)
    features = np.column_stack([smooth(counts, centred=True), temperature, clock(len(counts))])
    x, y = cut_windows(features, counts)
    # the feed of this week, where the mean can only look back
    live_counts, live_temperature = pool_season(40, rng)
    live = np.column_stack([smooth(live_counts, centred=False), live_temperature, clock(len(live_counts))])
    live_x, live_y = cut_windows(live, live_counts)
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    model = VisitorModel()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    loss_fn = nn.MSELoss()
    for epoch in range(10):
        model.train()
        running = 0.0
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(xb), yb)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += loss.item() * len(xb)
        model.eval()
        with torch.no_grad():
            live_loss = loss_fn(model(live_x), live_y).item()
        print(f"epoch {epoch + 1:2d}  train {running / len(x):.4f}  live {live_loss:.4f}")
    print(f"metric: {live_loss:.4f}")


if __name__ == "__main__":
    main()
