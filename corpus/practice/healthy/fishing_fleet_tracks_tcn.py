"""What gear a fishing boat uses, from its track: a temporal convolutional network.

family: cnn
metric: accuracy, higher
"""

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils.data import DataLoader, TensorDataset

GEARS = ["trawl", "longline", "seine", "pots"]
STEPS = 96


def track(rng, gear):
    """Speed in knots and turn rate, every ten minutes."""
    speed = np.full(STEPS, rng.uniform(8, 11))
    turn = np.zeros(STEPS)
    a = rng.integers(5, 25)
    b = rng.integers(70, 92)
    n = b - a
    if gear == 0:  # hauls at 3 to 4 knots, turning at the ends
        speed[a:b] = rng.uniform(3, 4.2)
        turn[a:b] += 1.5 * (np.arange(n) % rng.integers(14, 22) < 2)
    elif gear == 1:  # sets the line fast, hauls slowly
        half = n // 2
        speed[a : a + half] = rng.uniform(6, 8)
        speed[a + half : b] = rng.uniform(1, 4)
    elif gear == 2:  # circles
        period = rng.integers(16, 26)
        phase = (np.arange(n) % period) / period
        speed[a:b] = np.where(phase < 0.3, 5.0, 1.0 + rng.uniform(0, 1))
        turn[a:b] += np.where(phase < 0.3, 1.2, 0.0)
    else:  # stop and go along the string
        gap = rng.integers(3, 6)
        speed[a:b] = np.where(np.arange(n) % gap == 0, rng.uniform(4, 7), rng.uniform(0.3, 1.5))
    speed = np.clip(speed + rng.normal(0, 1.1, STEPS), 0, None)
    turn = turn * rng.choice([-1, 1]) + rng.normal(0, 0.5, STEPS)
    if rng.random() < 0.5:  # the receiver loses the boat
        at = rng.integers(0, STEPS - 15)
        speed[at : at + 15] = speed[at]
        turn[at : at + 15] = 0
    return np.stack([speed, turn])


class TemporalBlock(nn.Module):
    def __init__(self, n_in, n_out, dilation, dropout=0.1):
        super().__init__()
        self.net = nn.Sequential(
            weight_norm(nn.Conv1d(n_in, n_out, 3, padding=dilation, dilation=dilation)),
            nn.ReLU(),
            nn.Dropout(dropout),
            weight_norm(nn.Conv1d(n_out, n_out, 3, padding=dilation, dilation=dilation)),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.down = nn.Conv1d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x):
        return torch.relu(self.net(x) + self.down(x))


def main():
    rng = np.random.default_rng(62)
    torch.manual_seed(62)
    gears = rng.choice(4, 2000, p=[0.4, 0.25, 0.2, 0.15])
    x = np.stack([track(rng, k) for k in gears])
    mean, std = x[:1600].mean((0, 2), keepdims=True), x[:1600].std((0, 2), keepdims=True)
    x, y = torch.tensor((x - mean) / std, dtype=torch.float32), torch.tensor(gears)
    loader = DataLoader(TensorDataset(x[:1600], y[:1600]), batch_size=32, shuffle=True)
    model = nn.Sequential(
        TemporalBlock(2, 24, 1),
        TemporalBlock(24, 24, 2),
        TemporalBlock(24, 24, 4),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=6 * len(loader))
    loss_fn = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(6):
        model.train()
        for xb, yb in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(xb), yb)
            loss.backward()
            optimizer.step()
            scheduler.step()
        model.eval()
        with torch.no_grad():
            accuracy = (model(x[1600:]).argmax(1) == y[1600:]).float().mean().item()
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, test accuracy {accuracy:.3f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
