"""Hourly calls of a fire station: an LSTM with the Poisson likelihood, early stopping on the last weeks.

family: rnn
metric: poisson deviance, lower
"""

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(112)
torch.manual_seed(112)

# two years of hourly counts
hours = np.arange(2 * 365 * 24)
daily = -0.9 + 0.7 * np.sin(2 * np.pi * (hours % 24 - 9) / 24)
weekly = 0.25 * np.isin(hours // 24 % 7, [4, 5])
storm = np.zeros(len(hours))
for start in rng.choice(len(hours), 60, replace=False):
    storm[start : start + 18] += rng.uniform(0.5, 1.6)
calls = rng.poisson(np.exp(daily + weekly + storm)).astype(np.float32)

calendar = np.stack(
    [
        np.sin(2 * np.pi * hours / 24),
        np.cos(2 * np.pi * hours / 24),
        np.sin(2 * np.pi * hours / 168),
        np.cos(2 * np.pi * hours / 168),
    ],
    axis=1,
)
# known at hour t: the calls up to t-1, the calendar of t
features = np.concatenate([np.log1p(np.roll(calls, 1))[:, None], calendar], axis=1).astype(np.float32)
features, calls = torch.from_numpy(features)[1:], torch.from_numpy(calls)[1:]

WINDOW = 48
BURN_IN = 12


def windows(lo, hi, step):
    starts = range(lo, hi - WINDOW, step)
    x = torch.stack([features[s : s + WINDOW] for s in starts])
    y = torch.stack([calls[s : s + WINDOW] for s in starts])
    return x, y


n = len(calls)
x_train, y_train = windows(0, int(0.7 * n), 6)
x_val, y_val = windows(int(0.7 * n), int(0.85 * n), 24)
x_test, y_test = windows(int(0.85 * n), n, 24)


class CallModel(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.lstm = nn.LSTM(5, hidden, batch_first=True)
        self.rate = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.lstm(x)
        return self.rate(h).squeeze(-1)


def deviance(log_rate, y):
    log_rate, y = log_rate[:, BURN_IN:], y[:, BURN_IN:]
    return 2 * (torch.xlogy(y, y) - y * log_rate - y + log_rate.exp()).mean()


poisson = nn.PoissonNLLLoss(log_input=True)
model = CallModel()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-5)
best, best_state, waited = float("inf"), None, 0
for epoch in range(20):
    for rows in torch.randperm(len(x_train)).split(32):
        log_rate = model(x_train[rows])
        loss = poisson(log_rate[:, BURN_IN:], y_train[rows][:, BURN_IN:])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        val = deviance(model(x_val), y_val).item()
    print(f"epoch {epoch + 1} loss {loss.item():.4f} val deviance {val:.4f}")
    if val < best - 1e-4:
        best, waited = val, 0
        best_state = {k: v.clone() for k, v in model.state_dict().items()}
    else:
        waited += 1
        if waited >= 4:
            break

model.load_state_dict(best_state)
with torch.no_grad():
    print(f"metric: {deviance(model(x_test), y_test).item():.4f}")
