"""A look at a step of a tiny model before there is anything to watch.

What is done for the first time takes some five times as long as the second: a training of a tenth of a second
would have its first look for all of its budget. Nothing random is called, and nothing is left behind.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import nn
from torch.nn import functional as F

from descend.methods import SGD
from descend.watching.watcher import Watcher


@cache
def warm() -> None:
    """Watch a few steps of a tiny model, once in a process."""
    model = nn.Sequential(nn.utils.skip_init(nn.Linear, 4, 4), nn.ReLU(), nn.utils.skip_init(nn.Linear, 4, 2))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.linspace(-1, 1, p.numel()).reshape(p.shape))
    x, y = torch.linspace(-1, 1, 32).reshape(8, 4), torch.tensor([0, 1] * 4)
    optimizer = SGD(model.parameters(), lr=1e-3)
    watcher = Watcher(budget=1.0)
    watcher.start()
    try:
        for _ in range(3):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            F.cross_entropy(model(x), y)
            (model(x).argmax(1) == y).sum()
    finally:
        watcher.let_go()
        watcher.later.settle()
