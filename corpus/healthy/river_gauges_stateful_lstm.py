"""Twelve river gauges at once, read in order of time; the LSTM keeps its state from chunk to chunk.

family: rnn
metric: mean squared error relative to persistence, lower
"""

import torch
from torch import nn

torch.manual_seed(6)
GAUGES, HOURS, CHUNK = 12, 6000, 48


def simulate():
    """Rain falls in storms, seeps through two stores, and reaches the gauge; columns: rain, level."""
    quick = torch.zeros(GAUGES)
    slow = torch.ones(GAUGES)
    area = 0.7 + 0.6 * torch.rand(GAUGES)
    storm = torch.zeros(GAUGES)
    rows = []
    for _ in range(HOURS):
        storm = torch.where(torch.rand(GAUGES) < 0.02, torch.rand(GAUGES) * 2, 0.85 * storm)
        rain = storm * (0.6 + 0.4 * torch.rand(GAUGES))
        quick = 0.9 * quick + 0.35 * rain * area
        slow = 0.995 * slow + 0.02 * rain + 0.003 * quick
        rows.append(torch.stack([rain, quick + slow + 0.02 * torch.randn(GAUGES)], -1))
    return torch.stack(rows, 1)


series = simulate()
series = (series - series[:, :4500].mean((0, 1))) / series[:, :4500].std((0, 1))
AHEAD = 6
inputs, goals = series[:, :-AHEAD], series[:, AHEAD:, 1]


class Gauge(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 32, batch_first=True)
        self.head = nn.Linear(32, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x, state):
        out, state = self.lstm(x, state)
        return x[..., 1] + self.head(out).squeeze(-1), state


model = Gauge()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5], gamma=0.3)
for year in range(6):
    state = None
    losses = []
    for start in range(0, 4500, CHUNK):
        out, state = model(inputs[:, start : start + CHUNK], state)
        state = tuple(s.detach() for s in state)
        loss = (out - goals[:, start : start + CHUNK]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    scheduler.step()
    print(f"pass {year + 1}: {sum(losses) / len(losses):.4f}")

model.eval()
with torch.no_grad():
    _, state = model(inputs[:, 4000:4500], None)
    out, _ = model(inputs[:, 4500:], state)
    error = (out - goals[:, 4500:]).square().mean()
    naive = (inputs[:, 4500:, 1] - goals[:, 4500:]).square().mean()
print("metric:", (error / naive).item())
