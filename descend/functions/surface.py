"""What a surface is: a function of a few numbers, with its minima, its start and what it teaches."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from descend.errors import UsageError
from descend.functions.problem import Settings

Point = tuple[float, ...]


@dataclass(frozen=True)
class Surface:
    """A function of a few numbers whose minima are known.

    Attributes:
        name: as ``descend fit`` takes it.
        function: points (..., d) → values (...), in the points' dtype.
        minimum: the least value.
        minimisers: every point that has it.
        start: where a descent begins: the literature's standard start where there is one; on surfaces
            with many minima a point in the basin of a least one.
        bounds: (low, high) of each coordinate: what a drawing shows.
        settings: a method that reaches the minimum from ``start``.
        teaches: what a descent on it shows, in a sentence.
        source: the paper.
        smooth: whether the gradient is continuous; where it is not, no gradient norm tells a minimum.
        convex: whether every local minimum is a least one.
        within_bounds: the minimum holds within ``bounds`` only: outside the function is lower.
        family: other members, by keywords (``dimension=10``); ``None`` where there is only this one.
    """

    name: str
    function: Callable[[Tensor], Tensor]
    minimum: float
    minimisers: tuple[Point, ...]
    start: Point
    bounds: tuple[tuple[float, float], ...]
    settings: Settings
    teaches: str
    source: str
    smooth: bool = True
    convex: bool = False
    within_bounds: bool = False
    family: "Callable[..., Surface] | None" = field(default=None, repr=False, compare=False)

    @property
    def dimension(self) -> int:
        """How many numbers it is a function of."""
        return len(self.start)


def heavy_ball(lr: float, momentum: float = 0.9, steps: int = 2000) -> Settings:
    """Full-gradient descent with momentum at a constant rate: it converges to the last digit."""
    return Settings(
        method="momentum",
        lr=lr,
        hyperparameters={"momentum": momentum},
        steps=steps,
        batch_size=None,
        schedule="constant",
        warmup=0.0,
        gradient_norm=1e-8,
    )


def falling(lr: float, momentum: float = 0.0, steps: int = 1000) -> Settings:
    """A rate that falls to nothing, for minima with an edge: at a constant one the point hops about."""
    return replace(heavy_ball(lr, momentum, steps), schedule="linear", gradient_norm=None)


def polyak(flattest: float, steepest: float) -> Settings:
    """Polyak's best heavy ball between two curvatures: the error falls by (√κ − 1)/(√κ + 1) a step."""
    low, high = math.sqrt(flattest), math.sqrt(steepest)
    return heavy_ball(4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2, 200 + int(50 * high / low))


def square(half: float) -> tuple[tuple[float, float], ...]:
    """Return the bounds of a square about the origin, ``half`` to each side."""
    return ((-half, half), (-half, half))


def repeated(pattern: Sequence[Any], dimension: int) -> tuple[Any, ...]:
    """Return the pattern's coordinates over and over, up to ``dimension`` of them."""
    return tuple(pattern[k % len(pattern)] for k in range(dimension))


def check_dimension(name: str, dimension: int, least: int, most: int = 10_000_000) -> None:
    """Refuse a dimension outside [least, most].

    Raises:
        UsageError: always then.
    """
    if isinstance(dimension, bool) or not isinstance(dimension, int) or not least <= dimension <= most:
        raise UsageError(
            f"a dimension of {name} between {least} and {most}", repr(dimension), "give another dimension"
        )


def any_dimension(row: Surface, least: int = 1, beyond: Settings | None = None) -> Surface:
    """Let a row whose equation holds in any dimension be asked for in any.

    Its points repeat coordinate by coordinate, and its minimum is a sum over coordinates (or zero).
    ``beyond`` are the settings for more dimensions than the row has.
    """

    def resized(dimension: int = row.dimension) -> Surface:
        check_dimension(row.name, dimension, least)
        return replace(
            row,
            settings=beyond if beyond and dimension > row.dimension else row.settings,
            minimum=row.minimum * dimension / row.dimension,
            minimisers=tuple(repeated(point, dimension) for point in row.minimisers),
            start=repeated(row.start, dimension),
            bounds=repeated(row.bounds, dimension),
        )

    return replace(row, family=resized)
