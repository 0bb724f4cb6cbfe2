"""Heat that a house will need in the next half hour, by dilated convolutions over the last hours.

cause: target-leak
family: cnn
metric: mean squared error, lower
repair:
    - past = np.stack([series[start + 1 : start + WINDOW + 1] for start in starts])
    + past = np.stack([series[start : start + WINDOW] for start in starts])
"""

import numpy as np
import torch
from torch import nn

WINDOW = 32
AHEAD = 24


def household(n, seed):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    outside = 4 * np.sin(2 * np.pi * t / 48) + np.cumsum(rng.normal(0, 0.15, n))
    outside -= outside.mean()
    schedule = ((t % 48 > 12) & (t % 48 < 18)) | ((t % 48 > 34) & (t % 48 < 44))
    demand, stored = np.zeros(n), 0.0
    for i in range(n):
        stored = 0.85 * stored + 0.15 * (6 - 0.4 * outside[i] + 5 * schedule[i])
        demand[i] = max(stored + rng.normal(0, 0.25), 0)
    return ((demand - demand.mean()) / demand.std()).astype(np.float32)


def windows(series):
    starts = range(len(series) - WINDOW)
    past = np.stack([series[start + 1 : start + WINDOW + 1] for start in starts])
    following = np.array([series[start + WINDOW] for start in starts])
    return torch.from_numpy(past), torch.from_numpy(following)


class Causal(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv1d(1 if k == 0 else channels, channels, 2, dilation=2**k) for k in range(5)
        )
        self.out = nn.Linear(channels, 1)

    def forward(self, past):
        h = past.unsqueeze(1)
        for k, conv in enumerate(self.convs):
            h = torch.tanh(conv(nn.functional.pad(h, (2**k, 0))))
        return self.out(h[:, :, -1]).squeeze(1)


@torch.no_grad()
def forecast(model, history, steps):
    """What the controller gets: the demand of the coming hours, from nothing but measured values."""
    values = history
    for _ in range(steps):
        values = torch.cat([values, model(values[:, -WINDOW:]).unsqueeze(1)], 1)
    return values[:, -steps:]


def main():
    torch.manual_seed(66)
    series = household(3200, seed=66)
    past, following = windows(series[:2400])
    model = Causal()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(14):
        losses = []
        for rows in torch.randperm(len(past)).split(64):
            loss = nn.functional.mse_loss(model(past[rows]), following[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch + 1}: {np.mean(losses):.5f}")
    test = torch.from_numpy(series[2400:]).unfold(0, WINDOW + AHEAD, 3)
    predicted = forecast(model, test[:, :WINDOW], AHEAD)
    print(f"metric: {nn.functional.mse_loss(predicted, test[:, WINDOW:]).item():.5f}")


if __name__ == "__main__":
    main()
