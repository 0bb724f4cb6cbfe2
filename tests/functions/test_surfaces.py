"""Every claim of the table of surfaces is checked against the equations themselves."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from descend.errors import UsageError
from descend.functions.surface_names import SURFACE_NAMES, surface_name
from descend.functions.surfaces import SURFACES, Surface, surface, surface_problem

ROWS = [pytest.param(row, id=name) for name, row in SURFACES.items()]
EDGED = [pytest.param(row, id=name) for name, row in SURFACES.items() if not row.smooth]
SMOOTH = [pytest.param(row, id=name) for name, row in SURFACES.items() if row.smooth]
FAMILIES = [name for name, row in SURFACES.items() if row.family is not None]


def points_within(row: Surface, count: int, seed: int = 0) -> Tensor:
    low, high = torch.tensor(row.bounds, dtype=torch.float64).unbind(-1)
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(count, row.dimension, generator=generator, dtype=torch.float64)


def minimisers(row: Surface) -> Tensor:
    return torch.tensor(row.minimisers, dtype=torch.float64)


def gradient(row: Surface, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    return torch.autograd.grad(row.function(x).sum(), x)[0]


def hessians(row: Surface, x: Tensor) -> Tensor:
    return torch.func.vmap(torch.func.hessian(row.function))(x)


def test_the_names_stand_in_both_places() -> None:
    assert tuple(SURFACES) == SURFACE_NAMES
    assert len(SURFACES) >= 16
    for name, row in SURFACES.items():
        assert name == row.name
        assert name == name.lower()
        assert "_" not in name


def test_the_names_cost_no_torch() -> None:
    code = "import sys; import descend.functions.surface_names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_are_found_in_any_spelling() -> None:
    for spelling in ("three-hump-camel", "three_hump_camel", "Three Hump Camel", " THREE-HUMP-CAMEL "):
        assert surface(spelling) is SURFACES["three-hump-camel"]
    assert surface_name("digits") is None


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_complete(row: Surface) -> None:
    d = row.dimension
    assert len(row.bounds) == d
    assert all(len(point) == d for point in row.minimisers)
    for point in (row.start, *row.minimisers):
        assert all(low <= x <= high for x, (low, high) in zip(point, row.bounds, strict=True))
    assert row.teaches.endswith(".")
    assert row.source
    assert row.settings.batch_size is None
    assert (row.settings.gradient_norm is None) == (not row.smooth)


@pytest.mark.parametrize("row", ROWS)
def test_the_minimum_is_the_value_at_every_minimiser(row: Surface) -> None:
    values = row.function(minimisers(row))
    torch.testing.assert_close(values, torch.full_like(values, row.minimum), rtol=0, atol=1e-9)


@pytest.mark.parametrize("row", SMOOTH)
def test_minimisers_are_flat_and_curve_upwards(row: Surface) -> None:
    x = minimisers(row)
    assert gradient(row, x).abs().max() < 1e-7
    assert torch.linalg.eigvalsh(hessians(row, x)).min() > -1e-9


@pytest.mark.parametrize(
    "row", [row for row in SURFACES.values() if not row.smooth], ids=lambda row: row.name
)
def test_an_edge_rises_in_every_direction(row: Surface) -> None:
    # No gradient tells the minimum; the slope is bounded away from 0 all around it.
    x = minimisers(row) + 1e-6 * torch.nn.functional.normalize(points_within(row, 500), dim=-1)
    assert ((row.function(x) - row.minimum) / 1e-6).min() > 0.5
    assert torch.isfinite(gradient(row, minimisers(row))).all()


@pytest.mark.parametrize("row", ROWS)
def test_no_descent_within_the_bounds_ends_lower_or_at_another_least_point(row: Surface) -> None:
    low, high = torch.tensor(row.bounds, dtype=torch.float64).unbind(-1)
    x = points_within(row, 3000)
    rate = torch.full((len(x), 1), 0.01, dtype=torch.float64)
    value = row.function(x)
    for _ in range(300):  # projected descent; each point finds its own rate by trying
        there = (x - rate * gradient(row, x)).clamp(low, high)
        new = row.function(there)
        better = (new < value)[:, None]
        x, value = torch.where(better, there, x), torch.minimum(new, value)
        rate = torch.where(better, rate * 1.5, rate * 0.3)
    assert value.min() >= row.minimum - 1e-9
    if row.dimension == 2:
        ended = x[value < row.minimum + 1e-9]
        nearest = torch.cdist(ended, minimisers(row)).min(-1).values
        assert (nearest < 1e-2).all()


@pytest.mark.parametrize("row", ROWS)
def test_a_batch_is_its_points_one_by_one(row: Surface) -> None:
    x = points_within(row, 12).reshape(3, 4, row.dimension)
    together = row.function(x)
    assert together.shape == (3, 4)
    assert row.function(x[0, 0]).shape == ()
    alone = torch.stack([torch.stack([row.function(point) for point in line]) for line in x])
    torch.testing.assert_close(together, alone, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("row", ROWS)
def test_the_dtype_is_the_points(row: Surface) -> None:
    assert row.function(points_within(row, 3).float()).dtype == torch.float32


@pytest.mark.parametrize("row", SMOOTH)
def test_the_convexity_is_as_stated(row: Surface) -> None:
    lowest = torch.linalg.eigvalsh(hessians(row, points_within(row, 500))).min()
    assert (lowest > -1e-9) if row.convex else (lowest < 0)


def test_values_of_the_literature() -> None:
    """Moré, Garbow & Hillstrom's at the standard starts, and others known in closed form."""
    known = {
        "rosenbrock": [((-1.2, 1.0), 24.2)],
        "wood": [((-3.0, -1.0, -3.0, -1.0), 19192.0)],
        "powell": [((3.0, -1.0, 0.0, 1.0), 215.0)],
        "beale": [((1.0, 1.0), 14.203125)],
        "himmelblau": [((0.0, 0.0), 170.0)],
        "goldstein-price": [
            ((0.0, 0.0), 600.0),
            ((-0.6, -0.4), 30.0),
            ((1.8, 0.2), 84.0),
            ((1.2, 0.8), 840.0),
        ],
        "branin": [((0.0, 0.0), 36 + 20 - 10 / (8 * math.pi))],
        "booth": [((0.0, 0.0), 74.0)],
        "rastrigin": [((1.0, 2.0), 5.0), ((0.5, 0.5), 40.5)],
        "ackley": [((1.0, 1.0), 20 - 20 * math.exp(-0.2))],
        "styblinski-tang": [((1.0, 1.0), -10.0)],
        "griewank": [((0.0, math.pi * math.sqrt(2)), 2 + math.pi**2 / 2000)],
        "levy": [((-3.0, 1.0), 1 + 10 * math.sin(1) ** 2)],
        "zakharov": [((1.0, 1.0), 2 + 1.5**2 + 1.5**4)],
        "easom": [((0.0, 0.0), -math.exp(-2 * math.pi**2))],
        "mccormick": [((0.0, 0.0), 1.0)],
        "six-hump-camel": [((1.0, 1.0), 3.2333333333333334)],
        "three-hump-camel": [((1.0, 1.0), 2 - 1.05 + 1 / 6 + 2)],
        "matyas": [((1.0, -1.0), 1.0)],
        "bohachevsky": [((1.0, 0.0), 1 + 0.3 - 0.4 + 0.7)],
        "dixon-price": [((1.0, 1.0), 2.0)],
    }
    for name, pairs in known.items():
        for point, value in pairs:
            x = torch.tensor(point, dtype=torch.float64)
            assert float(SURFACES[name].function(x)) == pytest.approx(value, rel=1e-12, abs=1e-14), name


def descend_with_torch(name: str, **options: object) -> tuple[float, Tensor, float]:
    """Follow a problem's settings with ``torch.optim``: value above the minimum, point, gradient norm."""
    problem = surface_problem(name, **options)
    settings, function = problem.settings, problem.fresh_function()
    optimizer = torch.optim.SGD(
        function.parameters(),
        lr=settings.lr or 0.0,
        nesterov=settings.method == "nesterov",
        foreach=False,
        **settings.hyperparameters,
    )
    assert settings.method in ("momentum", "nesterov")
    assert settings.schedule in ("constant", "linear")
    (x,) = function.parameters()
    for step in range(settings.steps):
        if settings.schedule == "linear":
            optimizer.param_groups[0]["lr"] = settings.lr * (1 - step / settings.steps)
        optimizer.zero_grad()
        problem.loss_of(function, ()).backward()
        norm = float(x.grad.norm())
        if settings.gradient_norm is not None and norm <= settings.gradient_norm:
            break
        optimizer.step()
    with torch.no_grad():
        return float(problem.loss_of(function, ())) - problem.minimum, x.detach(), norm


@pytest.mark.parametrize("row", ROWS)
def test_the_settings_reach_the_minimum(row: Surface) -> None:
    above, x, norm = descend_with_torch(row.name)
    if row.smooth:
        assert norm <= row.settings.gradient_norm
        assert -1e-12 < above < (1e-12 if row.name != "powell" else 1e-7)
    else:
        assert above < 1e-4
    nearest = (minimisers(row) - x).norm(dim=-1).min()
    assert nearest < (1e-6 if row.name not in ("powell", "ackley") else 1e-2)


@pytest.mark.parametrize("name", ["quadratic", "himmelblau", "saddle"])
def test_the_loop_reaches_the_same_minimum(name: str, tmp_path: Path) -> None:
    from descend.descent.outcome import Outcome
    from descend.runs.fit import fit

    run = fit(surface_problem(name), out=tmp_path / "run")
    above, x, _ = descend_with_torch(name)
    assert run.outcome is Outcome.MINIMUM
    assert run.loss - SURFACES[name].minimum == pytest.approx(above, abs=1e-14)
    torch.testing.assert_close(run.parameters["x"], x, rtol=0, atol=1e-8)


@pytest.mark.parametrize("dimension", [1, 3, 10])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_settings_reach_the_minimum_in_other_dimensions(name: str, dimension: int) -> None:
    if name == "rosenbrock" and dimension == 1:
        pytest.skip("a valley needs two dimensions")
    above, x, _ = descend_with_torch(name, dimension=dimension)
    assert x.shape == (dimension,)
    assert abs(above) < (1e-11 if SURFACES[name].smooth else 2e-4)


@pytest.mark.parametrize("dimension", [1, 4, 9])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_minimum_holds_in_other_dimensions(name: str, dimension: int) -> None:
    if name == "rosenbrock" and dimension == 1:
        pytest.skip("a valley needs two dimensions")
    row = surface(name, dimension=dimension)
    values = row.function(minimisers(row))
    torch.testing.assert_close(values, torch.full_like(values, row.minimum), rtol=0, atol=1e-9)


@pytest.mark.parametrize("condition", [1, 10, 1e4])
@pytest.mark.parametrize("dimension", [1, 2, 7])
def test_a_quadratic_has_the_condition_number_asked_for(dimension: int, condition: float) -> None:
    row = surface("quadratic", dimension=dimension, condition=condition)
    hessian = torch.func.hessian(row.function)(torch.zeros(dimension, dtype=torch.float64))
    expected = torch.logspace(0, math.log10(condition), dimension, dtype=torch.float64)
    expected[0] = 1.0
    torch.testing.assert_close(torch.linalg.eigvalsh(hessian), expected, rtol=1e-10, atol=1e-10)
    above, _, norm = descend_with_torch("quadratic", dimension=dimension, condition=condition)
    assert norm <= 1e-8
    assert above < 1e-15


def test_a_turned_quadratic_has_no_eigenvector_among_its_coordinates() -> None:
    zero = torch.zeros(5, dtype=torch.float64)
    turned = torch.func.hessian(surface("quadratic", dimension=5).function)(zero)
    straight = torch.func.hessian(surface("quadratic", dimension=5, rotated=False).function)(zero)
    outside = ~torch.eye(5, dtype=torch.bool)
    assert (turned[outside].reshape(5, 4).norm(dim=-1) > 1).all()
    assert (straight[outside] == 0).all()


def test_descent_started_on_the_ridge_ends_at_the_saddle() -> None:
    _, x, norm = descend_with_torch("saddle", start=(1.0, 0.0))
    assert norm <= 1e-8
    torch.testing.assert_close(x, torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-7)


def test_mccormick_is_lower_outside_its_bounds() -> None:
    row = SURFACES["mccormick"]
    outside = minimisers(row)[0] - math.pi
    assert row.function(outside) < row.minimum - 3
    assert [r.name for r in SURFACES.values() if r.within_bounds] == ["mccormick"]


class TestProblem:
    def test_is_in_float64_from_the_standard_start(self) -> None:
        problem = surface_problem("rosenbrock")
        (x,) = problem.function.parameters()
        assert x.dtype == torch.float64
        assert x.tolist() == [-1.2, 1.0]
        assert problem.minimum == 0.0
        assert problem.count == 2
        assert not problem.has_data
        assert problem.evaluate(problem.function, problem.train) == {"loss": pytest.approx(24.2)}

    def test_its_facts_are_json(self) -> None:
        for name in SURFACES:
            facts = surface_problem(name).facts
            assert json.loads(json.dumps(facts)) == facts
            assert facts["kind"] == "surface"

    def test_a_copy_leaves_the_start_alone(self) -> None:
        problem = surface_problem("booth")
        copy = problem.fresh_function()
        with torch.no_grad():
            for p in copy.parameters():
                p.zero_()
        assert [p.tolist() for p in problem.function.parameters()] == [[-4.0, -3.0]]

    def test_a_random_start_follows_the_seed_and_lies_within_the_bounds(self) -> None:
        def start(seed: int) -> list[float]:
            (x,) = surface_problem("branin", seed, start="random").function.parameters()
            return x.tolist()

        assert start(1) == start(1) != start(2)
        starts = torch.tensor([start(seed) for seed in range(50)])
        low, high = torch.tensor(SURFACES["branin"].bounds).unbind(-1)
        assert ((low <= starts) & (starts <= high)).all()
        assert starts.std(0).min() > 1


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: surface("rosenbrok"), "did you mean rosenbrock"),
        (lambda: surface("rosenbrock", dimension=1), "between 2"),
        (lambda: surface("rosenbrock", dimension=2.5), "came 2.5"),
        (lambda: surface("rosenbrock", dimension=True), "came True"),
        (lambda: surface("sphere", dimension=0), "between 1"),
        (lambda: surface("sphere", size=3), "it takes dimension"),
        (lambda: surface("beale", dimension=3), "there is only this one"),
        (lambda: surface("quadratic", condition=0.5), "condition number"),
        (lambda: surface("quadratic", condition=math.inf), "condition number"),
        (lambda: surface("quadratic", condition=math.nan), "condition number"),
        (lambda: surface("quadratic", condition="high"), "condition number"),
        (lambda: surface("quadratic", dimension=5000), "between 1 and 2000"),
        (lambda: surface_problem("booth", start="middle"), "start as standard, random or 2"),
        (lambda: surface_problem("booth", start=(1.0,)), "2 finite numbers"),
        (lambda: surface_problem("booth", start=(1.0, math.nan)), "2 finite numbers"),
        (lambda: surface_problem("booth", start=3), "2 finite numbers"),
        (lambda: surface_problem("booth", start=("a", "b")), "2 finite numbers"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        call()
