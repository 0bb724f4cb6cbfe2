"""Bounds that make no sense are refused in one sentence."""

import math

import pytest

from descend import Until, UsageError


@pytest.mark.parametrize(
    "bounds",
    [{"steps": 0}, {"steps": -1}, {"steps": 1.5}, {"seconds": 0}, {"seconds": -3.0}, {"seconds": math.nan},
     {"patience": 0}, {"gradient_norm": 0.0}, {"loss": "low"}, {"steps": True}],
    ids=str,
)  # fmt: skip
def test_refused(bounds: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(bounds))):
        Until(**bounds)


def test_kept() -> None:
    assert Until(steps=5, loss=-1.0).to_json()["loss"] == -1.0
