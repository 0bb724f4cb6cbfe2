"""A recurrent network forecasts a range for the bicycles hired in the next hour.

cause: loss-broadcast
family: rnn
metric: pinball loss, lower
repair:
    - error = target - forecast[:, k : k + 1]
    + error = target - forecast[:, k]
"""

import numpy as np
import torch
from torch import nn

QUANTILES = (0.1, 0.5, 0.9)
PAST = 24


def hires(hours, rng):
    t = np.arange(hours)
    day = np.sin(2 * np.pi * (t - 8) / 24) + 0.6 * np.sin(4 * np.pi * (t - 7) / 24)
    weather = np.zeros(hours)
    for i in range(1, hours):
        weather[i] = 0.95 * weather[i - 1] + rng.normal(0, 0.2)
    busy = np.exp(0.7 * day + weather)
    return np.log1p(rng.poisson(20 * busy)) - 3.0


class Forecaster(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, len(QUANTILES))

    def forward(self, window):
        states, _ = self.gru(window[..., None])
        return self.head(states[:, -1])


def pinball(forecast, target):
    total = 0.0
    for k, q in enumerate(QUANTILES):
        error = target - forecast[:, k : k + 1]
        total = total + torch.maximum(q * error, (q - 1) * error).mean()
    return total / len(QUANTILES)


@torch.no_grad()
def score(model, windows, target):
    forecast = model(windows).numpy()
    losses = []
    for k, q in enumerate(QUANTILES):
        error = target.numpy() - forecast[:, k]
        losses.append(np.where(error > 0, q * error, (q - 1) * error).mean())
    return float(np.mean(losses))


def fit(model, windows, target, epochs=8, batch=64):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    for epoch in range(epochs):
        seen = 0.0
        for rows in torch.randperm(len(windows)).split(batch):
            optimizer.zero_grad()
            loss = pinball(model(windows[rows]), target[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen += loss.item() * len(rows)
        print(f"epoch {epoch + 1}: pinball {seen / len(windows):.4f}")


if __name__ == "__main__":
    torch.manual_seed(5)
    series = torch.tensor(hires(4200, np.random.default_rng(5)), dtype=torch.float32)
    windows = series.unfold(0, PAST + 1, 1)
    x, y = windows[:, :-1], windows[:, -1]
    model = Forecaster()
    fit(model, x[:3400], y[:3400])
    print(f"metric: {score(model, x[3500:], y[3500:]):.4f}")
