"""Stroke phase and rower from boat accelerations: a GRU with two tasks, batches accumulated from parts.

family: rnn
metric: macro F1 of the stroke phase on unseen outings, higher
"""

import numpy as np
import torch
from sklearn.metrics import f1_score
from torch import nn

PHASES = ["catch", "drive", "finish", "recovery"]
SHARES = np.array([0.06, 0.30, 0.07, 0.57])
ROWERS = 5


def outing(rng, rower, n=60):
    """Three channels at 20 Hz; catch and finish last a few samples only."""
    at, phase = rng.random(), np.zeros(n, dtype=int)
    signal = np.zeros((n, 3))
    rate = rng.normal(0.035 + 0.002 * rower, 0.002)
    edges = np.cumsum(SHARES)
    bias = rng.normal(0, 0.15, 3)
    for t in range(n):
        at = (at + rate * (1 + 0.05 * rng.standard_normal())) % 1
        k = min(int(np.searchsorted(edges, at)), 3)
        phase[t] = k
        surge = [-2.0, 1.5 * np.sin(np.pi * (at - 0.06) / 0.3), -0.8, 0.3 * np.cos(2 * np.pi * at)][k]
        pitch = np.sin(2 * np.pi * at + 0.3 * rower)
        signal[t] = [surge, pitch, 0.4 * np.cos(4 * np.pi * at) + 0.3 * rower]
    return signal + bias + 0.35 * rng.standard_normal((n, 3)), phase


def dataset(n, seed):
    rng = np.random.default_rng(seed)
    rower = rng.integers(0, ROWERS, n)
    pairs = [outing(rng, r) for r in rower]
    x = torch.tensor(np.stack([p[0] for p in pairs]), dtype=torch.float32)
    return x, torch.tensor(np.stack([p[1] for p in pairs])), torch.tensor(rower)


class StrokeNet(nn.Module):
    def __init__(self, hidden=48):
        super().__init__()
        self.gru = nn.GRU(3, hidden, batch_first=True, bidirectional=True)
        self.phase = nn.Linear(2 * hidden, len(PHASES))
        self.rower = nn.Linear(2 * hidden, ROWERS)

    def forward(self, x):
        h, _ = self.gru(x)
        return self.phase(h), self.rower(h.mean(1))


def main():
    torch.manual_seed(11)
    x, phase, rower = dataset(320, 11)
    x_test, phase_test, rower_test = dataset(80, 12)
    mean, std = x.mean((0, 1)), x.std((0, 1))
    x, x_test = (x - mean) / std, (x_test - mean) / std
    # milder than inverse frequency
    frequency = torch.bincount(phase.flatten(), minlength=4) / phase.numel()
    weight = frequency.rsqrt() / frequency.rsqrt().mean()
    phase_loss, rower_loss = nn.CrossEntropyLoss(weight=weight), nn.CrossEntropyLoss()
    model = StrokeNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    micro, accumulate = 8, 2
    for epoch in range(8):
        model.train()
        optimizer.zero_grad()
        seen = 0.0
        for k, idx in enumerate(torch.randperm(len(x)).split(micro)):
            out, who = model(x[idx])
            loss = phase_loss(out.flatten(0, 1), phase[idx].flatten()) + 0.2 * rower_loss(who, rower[idx])
            (loss / accumulate).backward()
            seen += loss.item()
            if (k + 1) % accumulate == 0:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
        model.eval()
        with torch.no_grad():
            out, who = model(x_test)
        f1 = f1_score(phase_test.flatten(), out.argmax(2).flatten(), average="macro")
        right = (who.argmax(1) == rower_test).float().mean()
        print(f"epoch {epoch + 1} loss {seen / (k + 1):.4f} phase F1 {f1:.4f} rower {right:.3f}")
    print(f"metric: {f1:.4f}")


if __name__ == "__main__":
    main()
