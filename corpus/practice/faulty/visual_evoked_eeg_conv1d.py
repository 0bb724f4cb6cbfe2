"""Which of three flicker frequencies a person looks at, from four EEG channels.

cause: inputs-not-scaled
family: cnn
metric: accuracy, higher
repair:
    - trials = amplifier(clean + background)
    + trials = amplifier(clean + background) * 1e5
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

RATE, SECONDS, CHANNELS = 64, 1.5, 4
FLICKER = (7.0, 9.5, 12.0)


def amplifier(signal):
    """What the recording system hands out: volts, as in the EDF file."""
    return signal * 1.2e-5


def session(n, seed):
    rng = np.random.default_rng(seed)
    samples = int(RATE * SECONDS)
    t = np.arange(samples) / RATE
    label = rng.integers(0, len(FLICKER), n)
    frequency = np.array(FLICKER)[label][:, None, None]
    phase = rng.uniform(0, 2 * np.pi, (n, 1, 1)) + np.linspace(0, 1, CHANNELS)[None, :, None]
    gain = rng.uniform(0.5, 1.1, (n, CHANNELS, 1))
    clean = gain * np.sin(2 * np.pi * frequency * t + phase)
    background = 0.5 * rng.normal(size=(n, CHANNELS, samples)).cumsum(-1) / np.sqrt(12)
    background += 0.6 * rng.normal(size=(n, CHANNELS, samples))
    background -= background.mean(-1, keepdims=True)
    trials = amplifier(clean + background)
    return torch.tensor(trials, dtype=torch.float32), torch.tensor(label)


class FlickerNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.temporal = nn.Conv1d(CHANNELS, 24, kernel_size=17, padding=8)
        self.deeper = nn.Conv1d(24, 32, kernel_size=9, padding=4)
        self.classifier = nn.Linear(32, len(FLICKER))
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        x = F.max_pool1d(F.elu(self.temporal(x)), 4)
        x = F.elu(self.deeper(x)).square().mean(-1)
        return self.classifier(self.dropout(x))


def run():
    torch.manual_seed(9)
    x, y = session(1600, 10)
    x_other, y_other = session(600, 11)
    net = FlickerNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(1, 13):
        net.train()
        for rows in torch.randperm(len(x)).split(40):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(x_other).argmax(1) == y_other).float().mean().item()
        print(f"{epoch:2d} train {loss.item():.4f} other session {accuracy:.4f}")
    return accuracy


if __name__ == "__main__":
    print(f"metric: {run():.4f}")
