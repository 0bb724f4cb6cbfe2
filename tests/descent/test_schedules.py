"""Schedules against torch's own, and their laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend import Schedule, UsageError
from descend.descent.schedules import SCHEDULES


def torch_rates(make, steps: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def test_cosine_is_torchs() -> None:
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 100), 100)
    assert [Schedule("cosine")(k / 100) for k in range(100)] == pytest.approx(theirs, abs=1e-12)


def test_linear_is_torchs() -> None:
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.0, 100), 100)
    assert [Schedule("linear")(k / 100) for k in range(100)] == pytest.approx(theirs, abs=1e-12)


def test_one_cycle_is_torchs() -> None:
    theirs = torch_rates(lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=1001), 1001)
    # torch counts its phases from step 0 to step total − 1, with the peak at 0.3·total − 1.
    ours = [Schedule("one-cycle")(k / 1000) for k in range(1001)]
    assert ours == pytest.approx(theirs, abs=4e-3)
    assert max(ours) == pytest.approx(1.0)


def test_wsd_stays_and_then_falls_in_a_line() -> None:
    s = Schedule("wsd")
    assert [s(0.1), s(0.79), s(0.9), s(1.0)] == pytest.approx([1.0, 1.0, 0.5, 0.0])


def test_inverse_square_root() -> None:
    s = Schedule("inverse-sqrt", warmup=0.1)
    assert [s(0.05), s(0.1), s(0.4), s(0.9)] == pytest.approx([0.5, 1.0, 0.5, 1 / 3])


@given(name=st.sampled_from(list(SCHEDULES)), warmup=st.floats(0, 0.9), done=st.floats(0, 1))
def test_factors_stay_between_nothing_and_one(name: str, warmup: float, done: float) -> None:
    factor = Schedule(name, warmup)(done)
    assert 0 <= factor <= 1 + 1e-12
    assert math.isfinite(factor)


@pytest.mark.parametrize(("name", "warmup"), [("cosin", 0.0), ("", 0.0), ("cosine", 1.0), ("cosine", -0.1)])
def test_what_makes_no_schedule_is_refused(name: str, warmup: float) -> None:
    with pytest.raises(UsageError):
        Schedule(name, warmup)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UsageError, match="did you mean cosine"):
        Schedule("cosin")
