"""Surfaces: functions of a few numbers whose minima are known, as problems.

A descent on a surface is the same loop as on a network, without data.
"""

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError, nearest
from descend.functions.problem import Problem
from descend.functions.surface import Surface
from descend.functions.surface_names import SURFACE_NAMES, surface_name
from descend.functions.surface_table import SURFACES


def surface(name: str, **options: Any) -> Surface:
    """Return a surface by its name, or another member of its family.

    Args:
        name: as in :data:`SURFACES`; upper case, underscores and spaces do not matter.
        **options: ``dimension`` for those that any dimension suits; ``condition`` (the condition
            number) and ``rotated`` for ``quadratic``.

    Raises:
        UsageError: where there is none of this name, or it has no such option.

    Example:
        >>> surface("rosenbrock", dimension=10).minimum
        0.0
    """
    known = surface_name(name)
    if known is None:
        raise UsageError("the name of a surface", repr(name), nearest(name, list(SURFACE_NAMES)))
    row = SURFACES[known]
    if not options:
        return row
    allowed = _options(row)
    for option in options:
        if option not in allowed:
            do = f"it takes {' and '.join(allowed)}" if allowed else "leave it out: there is only this one"
            raise UsageError(f"an option of {known}", option, do)
    assert row.family is not None
    return row.family(**options)


def _options(row: Surface) -> tuple[str, ...]:
    return () if row.family is None else tuple(inspect.signature(row.family).parameters)


def surface_problem(
    name: str, seed: int = 0, *, start: str | Sequence[float] = "standard", **options: Any
) -> Problem:
    """Return the problem of finding a surface's minimum, in float64.

    Args:
        name: as in :data:`SURFACES`.
        seed: draws a random start.
        start: ``"standard"``, ``"random"`` (anywhere within the bounds), or a point.
        **options: as for :func:`surface`.

    Raises:
        UsageError: where the name, an option or the start does not fit.

    Example:
        >>> surface_problem("booth").minimum
        0.0
    """
    row = surface(name, **options)
    point = _start(row, start, seed)
    function = row.function
    return Problem(
        lambda parameters: function(parameters["x"]),
        parameters={"x": point},
        name=row.name,
        settings=row.settings,
        minimum=row.minimum,
        facts={
            "source": row.name,
            "kind": "surface",
            "dimension": row.dimension,
            "start": point.tolist()[:16],
            "minimum": row.minimum,
            "minimisers": [list(point[:16]) for point in row.minimisers],
            "teaches": row.teaches,
            "citation": row.source,
            "options": options,
            "rows": None,
            "classes": None,
            "sha256": None,
        },
    )


def _start(row: Surface, start: str | Sequence[float], seed: int) -> Tensor:
    if start == "standard":
        return torch.tensor(row.start, dtype=torch.float64)
    if start == "random":
        low, high = torch.tensor(row.bounds, dtype=torch.float64).unbind(-1)
        generator = torch.Generator().manual_seed(seed)
        return low + (high - low) * torch.rand(row.dimension, dtype=torch.float64, generator=generator)
    if not isinstance(start, str):
        try:
            numbers = [float(number) for number in start]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) == row.dimension and all(map(math.isfinite, numbers)):
            return torch.tensor(numbers, dtype=torch.float64)
    raise UsageError(
        f"start as standard, random or {row.dimension} finite numbers for {row.name}",
        repr(start),
        "change start",
    )


__all__ = ["SURFACES", "SURFACE_NAMES", "Surface", "surface", "surface_problem"]
