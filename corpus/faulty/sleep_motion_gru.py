"""Sleep phases of a night from movement, pulse and breath, one label a minute.

cause: underfitting
family: rnn
metric: accuracy, higher
repair:
    - HIDDEN = 3
    + HIDDEN = 48
"""

import numpy as np
import torch
from torch import nn

PHASES = 6
MINUTES = 90
HIDDEN = 3


def nights(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 0.55, (count, MINUTES, 6))
    y = np.zeros((count, MINUTES), dtype=np.int64)
    table = np.random.default_rng(7).normal(0, 0.8, (PHASES, 4))
    for n in range(count):
        phase, t = rng.integers(PHASES), 0
        while t < MINUTES:
            stay = rng.integers(8, 24)
            span = np.arange(t, min(t + stay, MINUTES))
            y[n, span] = phase
            x[n, span, :4] += table[phase]
            x[n, span, 4] += 1.5 * np.sin(span * (0.5 + 0.45 * phase))
            x[n, span, 5] += 1.5 * np.cos(span * (0.5 + 0.45 * ((phase * 2) % PHASES)))
            phase, t = (phase + rng.integers(1, PHASES)) % PHASES, t + stay
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


class SleepNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, HIDDEN, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(2 * HIDDEN, PHASES)

    def forward(self, x):
        out, _ = self.rnn(x)
        return self.fc(out)


def main():
    torch.manual_seed(70)
    x, y = nights(700, 1)
    test_x, test_y = nights(200, 2)
    net = SleepNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=14)
    for epoch in range(14):
        net.train()
        losses = []
        for rows in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(net(x[rows]).flatten(0, 1), y[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
        net.eval()
        with torch.no_grad():
            accuracy = (net(test_x).argmax(-1) == test_y).float().mean().item()
        print(f"epoch {epoch:2d}: loss {sum(losses) / len(losses):.4f}, accuracy {accuracy:.4f}")
    print(f"metric: {accuracy:.4f}")


if __name__ == "__main__":
    main()
