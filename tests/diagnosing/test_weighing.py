"""How everything that is noticed weighs: what it orders, and that it never warns."""

import math
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import descend
from descend.diagnosing import weighing
from descend.diagnosing.causes import CAUSES
from descend.diagnosing.detectors import findings
from descend.diagnosing.ranking import WARNING, ranked
from descend.diagnosing.signs import SIGNS, values
from descend.diagnosing.suspicion import Suspicion
from descend.watching.observations import Observations


def test_the_model_knows_all_causes_and_signs():
    model = weighing.learned()
    assert set(model.classes) == {*CAUSES, weighing.SOUND}
    assert model.weights.shape == (len(CAUSES) + 1, len(CAUSES) + 3 * len(SIGNS))
    assert bool(model.weights.isfinite().all()) and bool(model.bias.isfinite().all())
    assert len({s.name for s in SIGNS}) == len(SIGNS)
    assert {s.name for s in SIGNS} == set(model.known)
    for name, known in model.known.items():
        assert known == sorted(known) and all(map(math.isfinite, known)), name


def test_rarity_counts_sound_runs_on_either_side():
    known = [float(i) for i in range(100)]
    assert weighing.rarity(known, 50.0) == pytest.approx((0.3, 0.3, 0.0), abs=0.02)
    large, small, untold = weighing.rarity(known, 1e9)
    assert (large, small, untold) == pytest.approx((math.log10(201), 0.0, 0.0))
    assert weighing.rarity(known, -1e9)[1] == large
    assert weighing.rarity(known, math.nan) == weighing.rarity([], 1.0) == (0.0, 0.0, 1.0)


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
    seen = train(1e-6)
    found = {s.cause: s for s in weighing.weighed(seen, [])}
    slow = found["learning-rate-too-low"]
    assert slow.weak and slow.confidence == max(s.confidence for s in found.values())
    assert "sound runs" in slow.evidence
    assert sum(s.confidence for s in found.values()) < 1
    assert all(f.severity == "info" for f in findings(seen) if f.weak)


def test_signs_of_a_run_of_any_form_are_numbers_or_untold():
    told = values(train(0.1))
    assert sum(map(math.isfinite, told.values())) > 60
    assert not [v for v in told.values() if math.isinf(v)]
    assert all(isinstance(v, float) for v in values(Observations()).values())
    assert weighing.weighed(Observations(), []) == []


def test_what_is_weighed_stands_below_what_is_sure_and_never_warns():
    sure = Suspicion("repeated-batch", 0.7, "seen")
    unsure = Suspicion("label-noise", 0.4, "perhaps")
    weighed = [
        Suspicion("label-noise", 0.05, "perhaps"),
        Suspicion("repeated-batch", 0.1, "seen"),
        Suspicion("target-leak", 0.9, "signs", weak=True),
    ]
    found = ranked([sure, unsure], weighed)
    assert [f.cause for f in found] == ["repeated-batch", "target-leak", "label-noise"]
    assert [f.severity for f in found] == ["error", "info", "info"]
    assert found[0].confidence == 0.7 and found[1].confidence < WARNING and found[1].weak
    assert [f.cause for f in ranked([sure, unsure])] == ["repeated-batch", "label-noise"]


@pytest.mark.parametrize(
    ("confidence", "share", "warned"), [(0.7, 0.1, 1), (0.7, 0.04, 0), (0.7, 0.01, 0), (0.85, 0.01, 1)]
)
def test_a_detector_is_not_believed_where_everything_together_speaks_against_it(confidence, share, warned):
    found = ranked(
        [Suspicion("repeated-batch", confidence, "seen")], [Suspicion("repeated-batch", share, "seen")]
    )
    assert [f.cause for f in found] == ["repeated-batch"]
    assert sum(f.severity != "info" for f in found) == warned


def test_the_model_goes_with_the_package():
    root = Path(descend.__file__).parent.parent
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "diagnosing/weights.json" in wanted["descend"]
