"""What an optimizer is told to do, too much of it beside a measure that is sound."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from descend.diagnosing.settings import DETECTORS
from descend.watching.watcher import Watcher


def watched(make, steps=200, clip=None, rate=None, penalty=0.0, scale=1.0):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    truth = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1))
    descent = make(model.parameters())
    schedule = None if rate is None else torch.optim.lr_scheduler.LambdaLR(descent, rate)
    watcher = Watcher(budget=1.0)  # so that many steps of so short a run are looked at
    watcher.start()
    try:
        for _ in range(steps):
            x = torch.randn(32, 6)
            loss = F.mse_loss(model(x), 4 * truth(x).detach())
            loss = scale * (loss + penalty * sum(p.square().sum() for p in model.parameters()))
            descent.zero_grad()
            loss.backward()
            if scale != 1:
                for p in model.parameters():
                    assert p.grad is not None
                    p.grad.div_(scale)
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            descent.step()
            if schedule is not None:
                schedule.step()
    finally:
        seen = watcher.stop()
    return {s.cause: s for detector in DETECTORS for s in detector(seen)}


def sgd(**settings):
    return lambda p: torch.optim.SGD(p, **{"lr": 0.05, "momentum": 0.9, **settings})


def adam(**settings):
    return lambda p: torch.optim.Adam(p, **{"lr": 0.01, **settings})


WRONG = {
    "clipped": ("gradient-clipped-away", sgd(), {"clip": 1e-3}),
    "clipped below epsilon": ("gradient-clipped-away", adam(), {"clip": 1e-9}),
    "decayed": ("learning-rate-decayed-to-zero", sgd(), {"rate": lambda k: 0.9**k}),
    "cut": ("learning-rate-decayed-to-zero", adam(), {"rate": lambda k: max(0.0, 1 - k / 50)}),
    "decay": ("decay-too-strong", sgd(weight_decay=2.0, lr=0.02), {}),
    "decay, decoupled": (
        "decay-too-strong",
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=10.0),
        {},
    ),
    "decay in the loss": ("decay-too-strong", adam(), {"penalty": 1.0}),
    "momentum": ("momentum-too-high", sgd(momentum=0.998, lr=0.1), {}),
    "betas": ("momentum-too-high", adam(betas=(0.998, 0.9), lr=0.05), {}),
}
SOUND = {
    "nothing": (sgd(), {}),
    "a norm that few reach": (sgd(), {"clip": 5.0}),
    "clipped, and it does not matter": (adam(), {"clip": 1e-2}),
    "scaled and unscaled": (sgd(), {"scale": 1024.0}),
    "decayed at the end": (sgd(), {"rate": lambda k: 1 - k / 200}),
    "halved early": (sgd(), {"rate": lambda k: 1.0 if k < 20 else 0.5}),
    "warmed up": (sgd(), {"rate": lambda k: min(1.0, k / 100)}),
    "decay": (lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.05), {}),
    "decay, coupled": (sgd(weight_decay=1e-3), {}),
    "momentum": (sgd(momentum=0.95, lr=0.02), {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_first(name):
    cause, make, settings = WRONG[name]
    found = watched(make, **settings)
    assert cause in found
    assert max(found.values(), key=lambda s: s.confidence).cause == cause
    assert found[cause].confidence >= 0.5


@pytest.mark.parametrize("name", SOUND)
def test_what_is_sound_is_not_warned_of(name):
    make, settings = SOUND[name]
    assert not [s for s in watched(make, **settings).values() if s.confidence >= 0.5]
