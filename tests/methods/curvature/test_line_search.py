"""Each search ends where its conditions hold, on functions made to lead searches astray."""

import math

import pytest
import torch

from descend.methods.curvature.line_search import SEARCHES, Place, backtracking, more_thuente, strong_wolfe

EPS = torch.finfo(torch.float64).eps


def line(function):
    """Return (ask, the places that were asked) of a function of a float64 tensor."""
    asked = []

    def ask(step: float) -> Place:
        x = torch.tensor(float(step), dtype=torch.float64, requires_grad=True)
        y = function(x)
        (slope,) = torch.autograd.grad(y, x)
        asked.append(step)
        return Place(float(step), y.item(), slope.item())

    return ask, asked


def more_thuente_1(x):
    return -x / (x * x + 2)


def more_thuente_2(x):
    return (x + 0.004) ** 5 - 2 * (x + 0.004) ** 4


def more_thuente_3(x):
    beta, l = 0.01, 39
    inner = torch.where(
        x <= 1 - beta, 1 - x, torch.where(x >= 1 + beta, x - 1, (x - 1) ** 2 / (2 * beta) + beta / 2)
    )
    return inner + 2 * (1 - beta) / (l * math.pi) * torch.sin(l * math.pi * x / 2)


def yanai(b1, b2):
    def gamma(b):
        return math.sqrt(1 + b * b) - b

    return lambda x: gamma(b1) * torch.sqrt((1 - x) ** 2 + b2**2) + gamma(b2) * torch.sqrt(x**2 + b1**2)


FUNCTIONS = {
    "1": (more_thuente_1, 1e-3, 0.1),
    "2": (more_thuente_2, 0.1, 0.1),
    "3": (more_thuente_3, 0.1, 0.1),
    "4": (yanai(0.001, 0.001), 1e-3, 1e-3),
    "5": (yanai(0.01, 0.001), 1e-3, 1e-3),
    "6": (yanai(0.001, 0.01), 1e-3, 1e-3),
}
"""Moré & Thuente's test functions, with the tolerances of their tables (μ and η)."""

TABLES = {
    "1": (6, 3, 1, 4),
    "2": (12, 8, 8, 11),
    "3": (12, 12, 10, 13),
    "4": (4, 1, 3, 4),
    "5": (6, 3, 7, 8),
    "6": (13, 11, 8, 11),
}
"""Evaluations that the paper reports from first steps of 10⁻³, 10⁻¹, 10 and 10³."""


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("k", range(4))
def test_more_thuente_as_in_the_paper(name: str, k: int) -> None:
    function, decrease, curvature = FUNCTIONS[name]
    ask, asked = line(function)
    start = ask(0.0)
    asked.clear()
    found = more_thuente(
        ask, start, 10.0 ** (2 * k - 3), decrease=decrease, curvature=curvature, narrow=0.0, most=50, eps=0.0
    )
    place = found.place
    assert found.found
    assert place.value <= start.value + decrease * place.step * start.slope
    assert abs(place.slope) <= -curvature * start.slope
    assert len(asked) <= TABLES[name][k] + 1


@pytest.mark.parametrize("search", ["more-thuente", "strong-wolfe"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 30.0])
def test_the_strong_conditions_hold(search: str, name: str, step: float) -> None:
    ask, _ = line(FUNCTIONS[name][0])
    start = ask(0.0)
    more = {"narrow": 0.0} if search == "more-thuente" else {}
    found = SEARCHES[search](ask, start, step, decrease=1e-4, curvature=0.9, most=60, eps=0.0, **more)
    assert found.found
    assert found.place.value <= start.value + 1e-4 * found.place.step * start.slope
    assert abs(found.place.slope) <= -0.9 * start.slope


@pytest.mark.parametrize("name", FUNCTIONS)
def test_backtracking_decreases(name: str) -> None:
    ask, _ = line(FUNCTIONS[name][0])
    start = ask(0.0)
    found = backtracking(ask, start, 50.0, eps=0.0)
    assert found.found
    assert found.place.value <= start.value + 1e-4 * found.place.step * start.slope


@pytest.mark.parametrize("search", SEARCHES.values())
@pytest.mark.parametrize("wall", [3.0, 1e-3])
@pytest.mark.parametrize("beyond", [math.nan, math.inf, -math.inf])
def test_a_wall_is_stayed_before(search, wall: float, beyond: float) -> None:
    ask, _ = line(lambda x: (x - wall) ** 2 if x < wall else x * beyond)
    found = search(ask, ask(0.0), 5.0, eps=EPS)
    assert found.walled and 0 < found.place.step < wall
    assert math.isfinite(found.place.value)


@pytest.mark.parametrize("search", SEARCHES.values())
def test_a_line_that_only_climbs_ends_where_it_began(search) -> None:
    ask, asked = line(lambda x: x.exp())
    start = ask(0.0)
    found = search(ask, Place(0.0, start.value, -1.0), 1.0, eps=EPS)  # a slope that is not true
    assert not found.found and found.place.step == 0
    assert len(asked) < 60


@pytest.mark.parametrize("search", [more_thuente, strong_wolfe])
def test_where_values_round_slopes_tell(search) -> None:
    # Near 1e-9 the values differ by 1e-18 of their size: only the slopes lead to the minimum.
    ask, _ = line(lambda x: 1 + (x - 1e-9) ** 2)
    start = ask(0.0)
    found = search(ask, start, 1e-9, eps=EPS, curvature=1e-3)
    assert found.found
    assert found.place.step == pytest.approx(1e-9, rel=1e-3)
