"""Dates as people write them to dates as machines do, by an encoder and decoder with attention.

family: transformer
metric: share of dates that are wholly right, higher
"""

import datetime
import math
import random

import torch
from torch import nn

random.seed(4)
torch.manual_seed(4)
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
CHARS = "_" + "abcdefghijklmnopqrstuvwxyz0123456789 ./,-"
OUT = "^0123456789-"
DAYS = (datetime.date(2029, 12, 31) - datetime.date(1960, 1, 1)).days


def written(d):
    name = MONTHS[d.month - 1]
    return random.choice(
        [
            f"{d.day} {name} {d.year}",
            f"{name} {d.day}, {d.year}",
            f"{d.day}.{d.month}.{d.year}",
            f"{d.day:02d}-{name}-{d.year}",
        ]
    )


def batch(n):
    dates = [datetime.date(1960, 1, 1) + datetime.timedelta(random.randrange(DAYS)) for _ in range(n)]
    text = [written(d).ljust(12, "_") for d in dates]
    iso = ["^" + d.isoformat() for d in dates]
    return (
        torch.tensor([[CHARS.index(c) for c in row] for row in text]),
        torch.tensor([[OUT.index(c) for c in row] for row in iso]),
    )


class Translator(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.source, self.target = nn.Embedding(len(CHARS), d), nn.Embedding(len(OUT), d)
        self.place_in = nn.Parameter(0.02 * torch.randn(12, d))
        self.place_out = nn.Parameter(0.02 * torch.randn(10, d))
        self.core = nn.Transformer(
            d,
            4,
            num_encoder_layers=1,
            num_decoder_layers=1,
            dim_feedforward=96,
            dropout=0.0,
            batch_first=True,
            norm_first=False,
        )
        self.out = nn.Linear(d, len(OUT))
        self.register_buffer("mask", torch.triu(torch.full((10, 10), -math.inf), 1))

    def forward(self, x, y):
        n = y.shape[1]
        source = self.source(x) + self.place_in
        target = self.target(y) + self.place_out[:n]
        return self.out(self.core(source, target, tgt_mask=self.mask[:n, :n]))


model = Translator()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, betas=(0.9, 0.98), eps=1e-9)
warm = 50
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda k: k / warm if k < warm else math.sqrt(warm / k)
)
criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
for step in range(480):
    x, y = batch(64)
    optimizer.zero_grad()
    loss = criterion(model(x, y[:, :-1]).flatten(0, 1), y[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 50 == 0:
        print(f"step {step:3d}  rate {scheduler.get_last_lr()[0]:.5f}  loss {loss.item():.4f}")

model.eval()
x, y = batch(300)
said = y[:, :1]
with torch.no_grad():
    for _ in range(10):
        said = torch.cat([said, model(x, said)[:, -1:].argmax(-1)], 1)
print("metric:", (said == y).all(1).float().mean().item())
