"""Which stroke a swimmer swims, at every moment, from a wrist sensor; a recurrent network.

cause: labels-misaligned
family: rnn
metric: accuracy, higher
repair:
    - return smooth[:-WINDOW], labels[WINDOW:]
    + return smooth[WINDOW:], labels[WINDOW:]
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

STROKES = 4
WINDOW = 16
LENGTH = 120


def swim(rng, length):
    """Acceleration on three axes and the stroke at every sample."""
    labels = np.zeros(length, dtype=np.int64)
    i = 0
    while i < length:
        run = rng.integers(20, 60)
        labels[i : i + run] = rng.integers(0, STROKES)
        i += run
    rate = np.array([0.35, 0.5, 0.35, 0.7])[labels] * rng.uniform(0.9, 1.1)
    phase = np.cumsum(rate)
    amplitude = np.array([[1.0, 0.4, 0.5], [0.6, 1.0, 0.2], [0.4, 0.7, 1.0], [0.9, 0.3, 0.8]])[labels]
    signal = amplitude * np.sin(phase[:, None] + np.array([0.0, 1.0, 2.2]))
    return signal + rng.normal(0, 0.5, (length, 3)), labels


def moving_average(x, window):
    padded = np.cumsum(np.vstack([np.zeros((window, x.shape[1])), x]), axis=0)
    return x - (padded[window:] - padded[:-window]) / window


def prepare(rng):
    signal, labels = swim(rng, LENGTH + WINDOW)
    smooth = moving_average(signal, WINDOW)
    return smooth[:-WINDOW], labels[WINDOW:]


class Sessions(Dataset):
    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        pairs = [prepare(rng) for _ in range(count)]
        self.x = torch.tensor(np.stack([p[0] for p in pairs]), dtype=torch.float32)
        self.y = torch.tensor(np.stack([p[1] for p in pairs]))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class StrokeNet(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True)
        self.out = nn.Linear(hidden, STROKES)

    def forward(self, x):
        states, _ = self.gru(x)
        return self.out(states)


if __name__ == "__main__":
    torch.manual_seed(5)
    train = DataLoader(Sessions(600, 1), batch_size=32, shuffle=True)
    valid = DataLoader(Sessions(200, 2), batch_size=100)
    model = StrokeNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(14):
        losses = []
        for x, y in train:
            loss = criterion(model(x).reshape(-1, STROKES), y.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            hits = torch.cat([(model(x).argmax(-1) == y).float().flatten() for x, y in valid])
        print(f"epoch {epoch:2d}  loss {np.mean(losses):.4f}  accuracy {hits.mean():.4f}")
    print(f"metric: {hits.mean().item():.4f}")
