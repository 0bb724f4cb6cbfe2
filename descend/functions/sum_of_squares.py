"""What a test problem for least squares is: residuals whose sum of squares has known minima."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from descend.functions.surface import Point

Residuals = Callable[[Tensor], Tensor]
"""A point of shape (n,) → residuals of shape (m,)."""


@dataclass(frozen=True)
class Minimum:
    """A value at which a descent may rightly end.

    Attributes:
        value: the sum of squares.
        minimisers: points that have it, one of those that differ by a symmetry; none where it is only
            approached, as some coordinates go to infinity.
        within: the set that it is the least value of, where it is a saddle of the whole.
    """

    value: float
    minimisers: tuple[Point, ...] = ()
    within: str = ""

    @property
    def attained(self) -> bool:
        """Whether a finite point has the value."""
        return bool(self.minimisers)


@dataclass(frozen=True)
class SumOfSquares:
    """Residuals whose sum of squares has known minima.

    Attributes:
        name: as :func:`testing_problem` takes it.
        number: the paper's.
        residuals: a point (n,) → residuals (m,), in the point's dtype.
        start: the paper's standard start.
        m: how many residuals.
        minima: the least value first, then others that descents are known to end at.
        source: who wrote it down first, where the paper names one.
    """

    name: str
    number: int
    residuals: Residuals
    start: Point
    m: int
    minima: tuple[Minimum, ...]
    source: str = "the paper's own"

    @property
    def n(self) -> int:
        """How many unknowns."""
        return len(self.start)

    @property
    def minimum(self) -> float:
        """The least sum of squares."""
        return self.minima[0].value

    @property
    def minimisers(self) -> tuple[Point, ...]:
        """Points that have it."""
        return self.minima[0].minimisers
