"""How many tugs a harbour needs in the next hour, from two days of arrivals, by an LSTM.

cause: evaluating-in-train-mode
begins: 69
family: rnn
metric: mean squared error, lower
repair:
    - val_loss = 0.0
    + model.eval()
    + val_loss = 0.0
"""

import numpy as np
import torch
from torch import nn


def make_series(hours=4200, seed=18):
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    tide = np.sin(2 * np.pi * t / 12.42)
    day = np.sin(2 * np.pi * (t - 7) / 24)
    week = (t // 24) % 7 >= 5
    rate = np.exp(1.2 + 0.5 * tide + 0.4 * day - 0.4 * week)
    demand = rate + 0.15 * np.sqrt(rate) * rng.normal(0, 1, hours)
    channels = np.stack([demand / 4 - 1, tide, day, week - 0.3], axis=1)
    return channels.astype(np.float32)


class TugLSTM(nn.Module):
    def __init__(self, channels=4, hidden=48, dropout=0.3):
        super().__init__()
        self.lstm = nn.LSTM(channels, hidden, batch_first=True)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, 32), nn.ReLU(), nn.Dropout(dropout),
                                  nn.Linear(32, 1))  # fmt: skip

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1]).squeeze(-1)


series = make_series()
window = 24
inputs = np.stack([series[i : i + window] for i in range(len(series) - window)])
targets = series[window:, 0]
cut = 3400
x_train, y_train = torch.from_numpy(inputs[:cut]), torch.from_numpy(targets[:cut])
x_val, y_val = torch.from_numpy(inputs[cut:]), torch.from_numpy(targets[cut:])

torch.manual_seed(18)
model = TugLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
mse = nn.MSELoss()
best = float("inf")
for epoch in range(10):
    model.train()
    train_loss = 0.0
    for batch in torch.randperm(cut).split(50):
        optimizer.zero_grad()
        loss = mse(model(x_train[batch]), y_train[batch])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        train_loss += loss.item() * len(batch) / cut

    val_loss = 0.0
    with torch.no_grad():
        for i in range(0, len(x_val), 100):
            part = mse(model(x_val[i : i + 100]), y_val[i : i + 100])
            val_loss += part.item() * len(y_val[i : i + 100]) / len(y_val)
    best = min(best, val_loss)
    print(f"epoch {epoch + 1:2d}: train {train_loss:.4f}  val {val_loss:.4f}  best {best:.4f}")
print(f"metric: {val_loss:.5f}")
