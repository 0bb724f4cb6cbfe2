"""Few points, where the loss bends: within one percent of the range of the picture of all."""

import pytest
import torch

from descend.functions.surface_table import SURFACES
from descend.landscapes.grid import every_point, where_it_bends

X = torch.linspace(-1, 1, 51, dtype=torch.float64)
Y = torch.linspace(-1, 1, 51, dtype=torch.float64)


def counted(function):
    """Return a loss on coordinates, and how often it was asked."""
    asked = [0]

    def evaluate(at: torch.Tensor) -> torch.Tensor:
        asked[0] += len(at)
        return function(at)

    return evaluate, asked


def test_every_point_is_where_it_says() -> None:
    grid = every_point(lambda at: at[:, 0] + 10 * at[:, 1], X, Y[:20])
    assert grid.values.shape == (20, 51) and bool(grid.computed.all())
    assert grid.values[3, 7].item() == pytest.approx(float(X[7] + 10 * Y[3]))
    line = every_point(lambda at: at[:, 0] ** 2, X)
    assert line.values.tolist() == pytest.approx((X**2).tolist())


def test_a_cubic_is_exact_from_few() -> None:
    evaluate, asked = counted(lambda at: at[:, 0] ** 3 - 2 * at[:, 0] * at[:, 1] ** 2 + at[:, 1])
    grid = where_it_bends(evaluate, X, Y)
    sure = every_point(lambda at: at[:, 0] ** 3 - 2 * at[:, 0] * at[:, 1] ** 2 + at[:, 1], X, Y).values
    assert float((grid.values - sure).abs().max()) < 1e-12
    assert asked[0] == int(grid.computed.sum()) <= 51 * 51 / 4
    assert grid.doubt < 1e-12


@pytest.mark.parametrize(
    "name", ["rosenbrock", "beale", "himmelblau", "goldstein-price", "booth", "three-hump-camel"]
)
def test_surfaces_are_right_within_one_percent(name: str) -> None:
    row = SURFACES[name]
    x, y = (torch.linspace(*span, 51, dtype=torch.float64) for span in row.bounds)
    sure = every_point(row.function, x, y).values
    evaluate, asked = counted(row.function)
    grid = where_it_bends(evaluate, x, y)
    size = float(sure.max() - sure.min())
    assert float((grid.values - sure).abs().max()) <= 0.01 * size
    assert torch.equal(grid.values[grid.computed], sure[grid.computed])
    # Steep ones are drawn on a logarithmic scale, on which less can be interpolated.
    steep = name in ("beale", "goldstein-price")
    assert asked[0] <= 51 * 51 * (0.35 if steep else 0.25)


def test_a_cliff_is_computed() -> None:
    def cliff(at: torch.Tensor) -> torch.Tensor:
        return torch.where(at[:, 0] + at[:, 1] > 0.3, torch.inf, at[:, 0] ** 2)

    grid = where_it_bends(cliff, X, Y)
    sure = every_point(cliff, X, Y).values
    assert torch.equal(grid.values.isfinite(), sure.isfinite())
    inside = sure.isfinite()
    assert float((grid.values - sure)[inside].abs().max()) < 0.01


@pytest.mark.parametrize("count", [5, 6, 11, 12, 13, 50, 52])
def test_any_number_of_points(count: int) -> None:
    x = torch.linspace(-1, 1, count, dtype=torch.float64)
    evaluate, asked = counted(lambda at: (3 * at[:, 0]).sin() * at[:, 1])
    grid = where_it_bends(evaluate, x, X)
    sure = every_point(lambda at: (3 * at[:, 0]).sin() * at[:, 1], x, X).values
    assert float((grid.values - sure).abs().max()) < 0.02
    assert asked[0] <= count * 51
