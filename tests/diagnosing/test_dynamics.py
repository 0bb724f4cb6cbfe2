"""The pace of a descent and its batches: faulty loops and their sound twins."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from descend.diagnosing.dynamics import DETECTORS
from descend.watching.watcher import Watcher


def data(n=128):
    g = torch.Generator().manual_seed(1)
    x = torch.randn(n, 8, generator=g)
    return x, (x[:, :3] @ torch.randn(3, 3, generator=g)).argmax(1)


def network(norm=False):
    torch.manual_seed(0)
    between = [nn.BatchNorm1d(32)] if norm else []
    return nn.Sequential(
        nn.Linear(8, 32), *between, nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3)
    )


def watch(make, steps=120, batch=32, noise=False, model=None):
    """Train a classifier, watched, and return the suspicions by cause."""
    x, y = data()
    if noise:
        y = torch.randint(3, y.shape, generator=torch.Generator().manual_seed(5))
    model = network() if model is None else model
    watcher = Watcher(budget=1e3)
    watcher.start()
    optimizer = make(model.parameters())
    g = torch.Generator().manual_seed(2)
    for _ in range(steps):
        at = torch.randperm(len(x), generator=g)[:batch]
        optimizer.zero_grad()
        F.cross_entropy(model(x[at]), y[at]).backward()
        optimizer.step()
    seen = watcher.stop()
    found = [s for d in DETECTORS for s in d(seen)]
    assert all(0 <= s.confidence <= 1 and s.evidence.endswith(".") for s in found)
    return {s.cause: s.confidence for s in found}


SOUND = {
    "Adam": lambda p: torch.optim.Adam(p, lr=3e-3),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2),
    "SGD": lambda p: torch.optim.SGD(p, lr=0.3),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("noise", [False, True])
def test_a_sound_pace_is_left_alone(name, noise):
    assert all(c < 0.5 for c in watch(SOUND[name], noise=noise).values())


@pytest.mark.parametrize(
    "make", [lambda p: torch.optim.Adam(p, lr=0.5), lambda p: torch.optim.SGD(p, lr=100.0)]
)
def test_a_rate_that_is_too_high(make):
    assert watch(make).get("learning-rate-too-high", 0) >= 0.5


@pytest.mark.parametrize(
    "make", [lambda p: torch.optim.Adam(p, lr=1e-7), lambda p: torch.optim.SGD(p, lr=1e-5)]
)
@pytest.mark.parametrize("batch", [32, 128])
def test_a_rate_that_is_too_low(make, batch):
    found = watch(make, batch=batch)
    assert found["learning-rate-too-low"] >= 0.5
    assert max(found, key=lambda c: found[c]) == "learning-rate-too-low"


def test_a_rate_that_has_decayed_is_another_cause():
    def decayed(parameters):
        optimizer = torch.optim.Adam(parameters, lr=1e-3)
        optimizer.register_step_post_hook(
            lambda o, *_: o.param_groups[0].update(lr=o.param_groups[0]["lr"] * 0.5)
        )
        return optimizer

    assert watch(decayed).get("learning-rate-too-low", 0) < 0.5


def test_single_examples_at_a_pace_for_many():
    assert watch(lambda p: torch.optim.Adam(p, lr=0.05), batch=1, noise=True)["batch-too-small"] >= 0.5
    slowly = watch(lambda p: torch.optim.SGD(p, lr=0.01), steps=400, batch=1)
    assert slowly.get("batch-too-small", 0) < 0.5


def test_normalising_over_two_examples():
    make = SOUND["Adam"]
    assert watch(make, batch=2, model=network(True))["batch-too-small"] >= 0.5
    assert "batch-too-small" not in watch(make, batch=32, model=network(True))
