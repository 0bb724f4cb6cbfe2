"""Wind's speed at a bridge from its vibrations: a convolution, then an LSTM; heavy noise, unequal sensors.

family: rnn
metric: R², higher
"""

import numpy as np
import torch
from torch import nn

SENSORS, LENGTH = 6, 96


def measure(n, rng):
    """Sensors of different gain see the bridge's two modes; the faster the wind, the stronger and quicker."""
    wind = rng.gamma(4, 3, n)
    t = np.arange(LENGTH) / 10
    gain = np.array([1.0, 0.6, 0.35, 0.2, 0.12, 0.06])
    pace = 2 * np.pi * (0.4 + 0.01 * wind)[:, None]
    first = np.sqrt(wind)[:, None] * np.sin(pace * t + rng.uniform(0, 6.3, (n, 1)))
    second = 0.3 * wind[:, None] * np.sin(2 * np.pi * 1.3 * t + rng.uniform(0, 6.3, (n, 1)))
    x = (first[:, None] * gain[:, None] + second[:, None] * gain[::-1, None]) / 4
    x = x * rng.lognormal(0, 0.25, (n, 1, 1)) + gain[:, None] * rng.normal(size=(n, SENSORS, LENGTH))
    return torch.tensor(x, dtype=torch.float32), torch.tensor((wind - 12) / 6, dtype=torch.float32)


class WindGauge(nn.Module):
    def __init__(self, channels=24, hidden=32):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(SENSORS, channels, 7, stride=2, padding=3), nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Conv1d(channels, channels, 5, stride=2, padding=2), nn.BatchNorm1d(channels), nn.ReLU(),
        )  # fmt: skip
        self.lstm = nn.LSTM(channels, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.lstm(self.conv(x).transpose(1, 2))
        return self.out(h.mean(1))[:, 0]


rng = np.random.default_rng(39)
torch.manual_seed(39)
x_train, y_train = measure(3000, rng)
x_test, y_test = measure(700, rng)

model = WindGauge()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
decay = torch.optim.lr_scheduler.StepLR(optimizer, 4, gamma=0.3)
for epoch in range(10):
    model.train()
    total = 0.0
    for idx in torch.randperm(len(x_train)).split(50):
        loss = nn.functional.smooth_l1_loss(model(x_train[idx]), y_train[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    decay.step()
    model.eval()
    with torch.no_grad():
        r2 = 1 - (model(x_test) - y_test).pow(2).mean().item() / y_test.var().item()
    print(f"epoch {epoch + 1}: loss {total / 60:.4f}, test R2 {r2:.4f}")
print(f"metric: {r2:.4f}")
