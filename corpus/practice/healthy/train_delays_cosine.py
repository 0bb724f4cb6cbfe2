"""Minutes of delay of a train at its last stop; entity embeddings, the rate falls to zero along a cosine.

family: embedding
metric: mean absolute error, lower
"""

import math

import numpy as np
import torch
from torch import nn

LINES, STATIONS = 14, 30
EPOCHS, BATCH, PEAK = 12, 64, 4e-3


def timetable(n, seed):
    fixed = np.random.default_rng(0)
    line_effect, crowd = fixed.gamma(2, 1.0, LINES), fixed.normal(0, 1.0, STATIONS)
    rng = np.random.default_rng(seed)
    line, station = rng.integers(0, LINES, n), rng.integers(0, STATIONS, n)
    hour, snow, load = rng.uniform(5, 24, n), rng.binomial(1, 0.12, n), rng.beta(3, 3, n)
    rush = np.exp(-((hour - 8) ** 2) / 2) + np.exp(-((hour - 17.5) ** 2) / 4)
    delay = line_effect[line] * (1 + 0.8 * rush) + crowd[station] * load * 2 + 5 * snow * load
    delay += rng.normal(0, 0.8, n)
    numbers = np.column_stack([(hour - 14.5) / 5.5, snow, (load - 0.5) / 0.2])
    return (
        torch.tensor(np.column_stack([line, station])),
        torch.tensor(numbers, dtype=torch.float32),
        torch.tensor(delay / 3, dtype=torch.float32),
    )


class DelayModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Embedding(LINES, 6)
        self.station = nn.Embedding(STATIONS, 8)
        self.net = nn.Sequential(
            nn.Linear(6 + 8 + 3, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 1)
        )

    def forward(self, ids, numbers):
        x = torch.cat([self.line(ids[:, 0]), self.station(ids[:, 1]), numbers], dim=1)
        return self.net(x).squeeze(1)


torch.manual_seed(17)
ids, numbers, delay = timetable(4800, 17)
val_ids, val_numbers, val_delay = timetable(1500, 18)
model = DelayModel()
optimizer = torch.optim.Adam(model.parameters(), lr=PEAK)
total_steps = EPOCHS * math.ceil(len(ids) / BATCH)
step = 0
for epoch in range(EPOCHS):
    summed = 0.0
    for rows in torch.randperm(len(ids)).split(BATCH):
        for group in optimizer.param_groups:
            group["lr"] = 0.5 * PEAK * (1 + math.cos(math.pi * step / total_steps))
        loss = nn.functional.smooth_l1_loss(model(ids[rows], numbers[rows]), delay[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        summed += loss.item() * len(rows)
    with torch.no_grad():
        mae = 3 * (model(val_ids, val_numbers) - val_delay).abs().mean().item()
    rate = optimizer.param_groups[0]["lr"]
    print(f"epoch {epoch + 1:2d} lr {rate:.2e} train {summed / len(ids):.4f} val MAE {mae:.3f} min")
print(f"metric: {mae:.4f}")
