"""Where a cyclist will be in the next two seconds: a GRU reads the last two, a linear layer draws the path.

family: rnn
metric: mean error (m), lower
"""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HZ, PAST, AHEAD = 5, 10, 10


def ride(rng, steps=PAST + AHEAD):
    position, heading = np.zeros(2), rng.uniform(-np.pi, np.pi)
    speed = rng.uniform(2.5, 7)
    manoeuvre = rng.choice(["straight", "left", "right", "brake"], p=[0.5, 0.2, 0.2, 0.1])
    start = rng.integers(2, 12)
    track = []
    for k in range(steps):
        turn = {"left": 0.13, "right": -0.13}.get(manoeuvre, 0.0) * (k >= start)
        heading += turn + rng.normal(0, 0.02)
        if manoeuvre == "brake" and k >= start:
            speed = max(speed - 0.4, 0.3)
        speed += rng.normal(0, 0.08)
        position = position + speed / HZ * np.array([np.cos(heading), np.sin(heading)])
        track.append(position)
    track = np.array(track)
    seen = track[:PAST] + rng.normal(0, 0.04, (PAST, 2))
    last, back = seen[-1], seen[-1] - seen[-4]
    a = np.arctan2(back[1], back[0])
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    seen, future = (seen - last) @ turn, (track[PAST:] - last) @ turn
    steps_seen = np.diff(seen, axis=0, prepend=seen[:1])
    return np.column_stack([seen / 5, steps_seen]), future / 5


class PathNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.gru = nn.GRU(4, hidden, batch_first=True)
        self.path = nn.Linear(hidden, AHEAD * 2)

    def forward(self, seen):
        _, h = self.gru(seen)
        return self.path(h[-1]).view(-1, AHEAD, 2)


def rides(n, rng):
    seen, future = zip(*(ride(rng) for _ in range(n)), strict=True)
    return torch.tensor(np.stack(seen), dtype=torch.float32), torch.tensor(
        np.stack(future), dtype=torch.float32
    )


def main():
    rng = np.random.default_rng(20)
    torch.manual_seed(20)
    loader = DataLoader(TensorDataset(*rides(3000, rng)), batch_size=64, shuffle=True)
    seen_test, future_test = rides(600, rng)
    steady = seen_test[:, -3:, 2:].mean(1)[:, None] * torch.arange(1, AHEAD + 1)[None, :, None] / 5
    print(f"at a steady speed: {5 * (steady - future_test).norm(dim=2).mean():.3f} m")
    net = PathNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 15 * len(loader))
    for epoch in range(15):
        total = 0.0
        for seen, future in loader:
            loss = nn.functional.huber_loss(net(seen), future, delta=0.3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        with torch.no_grad():
            error = 5 * (net(seen_test) - future_test).norm(dim=2).mean().item()
        print(f"epoch {epoch + 1}: loss {total / len(loader):.5f}, off by {error:.3f} m")
    print(f"metric: {error:.4f}")


if __name__ == "__main__":
    main()
