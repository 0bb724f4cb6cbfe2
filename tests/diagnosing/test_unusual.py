"""What is said of a run that is unlike sound ones: little, and never as a warning."""

import math
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import descend
from descend.diagnosing import unusual
from descend.diagnosing.causes import CAUSES
from descend.diagnosing.ranking import WARNING, ranked
from descend.diagnosing.signs import SIGNS
from descend.diagnosing.suspicion import Suspicion


def test_every_sign_is_of_a_cause_and_known_of_sound_runs():
    assert {s.cause for s in SIGNS} <= set(CAUSES)
    assert len({s.name for s in SIGNS}) == len(SIGNS)
    for name, values in unusual.sound().items():
        assert values == sorted(values) and all(map(math.isfinite, values)), name
    assert {s.name for s in SIGNS} == set(unusual.sound())


def test_a_share_of_sound_runs_shows_as_much(monkeypatch):
    monkeypatch.setattr(unusual, "sound", lambda: {"a": [float(i) for i in range(100)]})
    assert unusual.share("a", 50.0) == pytest.approx(0.5, abs=0.01)
    assert unusual.share("a", 99.0) == pytest.approx(0.015, abs=0.001)
    beyond = [unusual.share("a", v) for v in (100.0, 120.0, 1e9)]
    assert 0.005 > beyond[0] > beyond[1] > beyond[2] > 0
    assert unusual.share("a", math.nan) == 1.0 and unusual.share("b", 1.0) == 1.0


def train(rate):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    x = torch.randn(256, 4)
    y = (x[:, 0] > 0).long() + (x[:, 1] > 0).long()
    with descend.watch(budget=1.0) as watch:
        for _ in range(60):
            rows = torch.randint(256, (32,))
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    return watch.seen


def test_a_run_far_from_sound_ones_is_suspected_but_not_warned_of():
    found = {s.cause: s for s in unusual.unusual(train(1e-6))}
    slow = found["learning-rate-too-low"]
    assert slow.weak and 0.2 < slow.confidence < WARNING and "sound runs" in slow.evidence
    assert all(s.weak and s.confidence < WARNING for s in found.values())


def test_what_is_only_unusual_explains_no_finding_away():
    strong = Suspicion("underfitting", 0.6, "")
    weak = Suspicion("learning-rate-too-low", 0.45, "", weak=True)
    assert "underfitting" in CAUSES["learning-rate-too-low"].makes
    first = ranked([strong, weak])[0]
    assert (first.cause, first.confidence) == ("underfitting", 0.6)
    sure = Suspicion("learning-rate-too-low", 0.45, "")
    assert ranked([strong, sure])[0].confidence < 0.6


def test_the_table_goes_with_the_package():
    root = Path(descend.__file__).parent.parent
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "diagnosing/sound.json" in wanted["descend"]
