"""Schedules against torch's own, and their laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import descend
from descend import Schedule, UsageError
from descend.descent.schedules import SCHEDULES, Schedules


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


# Any hyperparameter -----------------------------------------------------------------------------
BASE = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.9, "betas": (0.9, 0.999), "nesterov": True}


def test_any_hyperparameter_has_a_schedule() -> None:
    s = Schedules("linear, weight_decay=cosine, momentum=0.85..0.95, betas.0=0.8..0.9, betas.1=constant", 0.0)
    s.check(BASE)
    found = s.at(0.25, BASE)
    assert found.pop("betas") == pytest.approx((0.825, 0.999))
    decay = 0.2 * Schedule("cosine")(0.25)
    assert found == pytest.approx({"lr": 0.075, "weight_decay": decay, "momentum": 0.875})
    assert "momentum" not in s.at(0.5, {"lr": 0.1, "betas": (0.9, 0.9)})  # a group of another method
    assert Schedules("weight_decay=linear").at(0.5, BASE) == {"lr": 0.1, "weight_decay": 0.1}
    assert Schedules("lr=linear").at(0.5, BASE) == {"lr": 0.05}


@pytest.mark.parametrize(
    "text, word",
    [
        ("cosine,weight_decay=cosin", "did you mean cosine"),
        ("momentum=0.8..", "two numbers"),
        ("cosine,wieght_decay=linear", "did you mean weight_decay"),
        ("nesterov=linear", "hyperparameters"),
        ("betas=linear", "hyperparameters"),
    ],
)
def test_what_cannot_be_scheduled(text: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Schedules(text).check(BASE)


def test_a_descent_follows_every_schedule() -> None:
    x = torch.linspace(-1, 1, 8)[:, None]
    problem = descend.Problem(torch.nn.Linear(1, 1), "mse", train=(x, 2 * x))
    schedule = "constant, weight_decay=linear, betas.0=0.8..0.9"
    descent = descend.Descent(problem, "adamw", lr=0.1, schedule=schedule, warmup=0.0)
    found = []
    for done in (0.0, 0.5, 1.0):
        descent.set_rates(done)
        group = descent.method.param_groups[0]
        found.append((group["lr"], group["weight_decay"], group["betas"][0]))
    assert found == [(0.1, 0.01, 0.8), (0.1, 0.005, pytest.approx(0.85)), (0.1, 0.0, pytest.approx(0.9))]
