"""A recurrent network with rectifiers that reads the rate of a cellist's vibrato from a pitch track.

cause: exploding-gradients
family: rnn
metric: mae, lower
repair:
    - loss.backward()
    + loss.backward()
    + torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
"""

import numpy as np
import torch
from torch import nn

T = 120  # pitch values, 50 a second

rng = np.random.default_rng(6)
torch.manual_seed(6)


def tones(n):
    t = np.arange(T) / 50.0
    rate = rng.uniform(3.0, 8.0, n)
    depth = rng.uniform(0.5, 1.5, n)
    phase = rng.uniform(0, 2 * np.pi, n)
    drift = rng.normal(0, 0.3, (n, 1)) * t
    track = depth[:, None] * np.sin(2 * np.pi * rate[:, None] * t + phase[:, None]) + drift
    track += rng.normal(0, 0.1, track.shape)
    return torch.tensor(track[..., None], dtype=torch.float32), torch.tensor(
        (rate - 5.5) / 1.5, dtype=torch.float32
    )


class VibratoRNN(nn.Module):
    """Le, Jaitly and Hinton: a recurrent matrix that starts as the identity."""

    def __init__(self, hidden=64):
        super().__init__()
        self.rnn = nn.RNN(1, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, 1)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.out(states[:, -1]).squeeze(1)


x, y = tones(2000)
x_test, y_test = tones(400)
net = VibratoRNN()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
criterion = nn.MSELoss()

for epoch in range(12):
    order = torch.randperm(len(x))
    losses = []
    for i in range(0, len(x), 40):
        batch = order[i : i + 40]
        optimizer.zero_grad()
        loss = criterion(net(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        mae = 1.5 * (net(x_test) - y_test).abs().mean().item()
    print(f"epoch {epoch + 1:2d}: mse {np.mean(losses):.4f}, test error {mae:.3f} Hz")

print(f"metric: {mae:.4f}")
