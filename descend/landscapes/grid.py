"""A loss on a grid: at every point, or at few, where it bends, and between them by cubics."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.landscapes.colours import Scale

EVERY, FINE = 4, 33
"""The coarse grid has every fourth point; every second one where there are fewer points along an axis."""
TOLERANCE = 0.008
"""The error, as a share of the loss's range, from which a cell of the coarse grid is computed whole."""
SEEN = 0.03
"""The error in height, as it is drawn, from which a cell is computed whole."""
ROUGH = 0.3
"""The share of cells in which cubics err from which no cell is trusted: then every point is computed."""

Evaluate = Callable[[Tensor], Tensor]
"""Coordinates (k, d) → losses (k,)."""


@dataclass(frozen=True)
class Grid:
    """A loss on a grid.

    Attributes:
        values: (rows, columns), or (columns,) on a line; float64.
        computed: of the same shape: which values were computed, and not interpolated.
        doubt: the greatest error of interpolation that was seen in cells that were not computed whole, as a
            share of the range; 0 where all points were computed.
    """

    values: Tensor
    computed: Tensor
    doubt: float = 0.0


def every_point(evaluate: Evaluate, x: Tensor, y: Tensor | None = None) -> Grid:
    """Compute a loss at every point of a grid.

    Args:
        evaluate: the loss.
        x: (columns,): the first coordinate.
        y: (rows,): the second one; ``None`` for a line.
    """
    if y is None:
        values = evaluate(x[:, None])
    else:
        values = evaluate(torch.cartesian_prod(y, x).flip(1)).view(len(y), len(x))
    return Grid(values, torch.ones_like(values, dtype=torch.bool))


def where_it_bends(evaluate: Evaluate, x: Tensor, y: Tensor, tolerance: float = TOLERANCE) -> Grid:
    """Compute a loss at every fourth point both ways, and between them where cubics do not tell it.

    The cubics are tried in the middle of each cell; cells in which they err by more than the tolerance are
    computed whole. In the others the error of the middle is taken off, shaped as errors of cubics are.

    Args:
        evaluate: the loss.
        x: (columns,): the first coordinate, rising.
        y: (rows,): the second one, rising.
        tolerance: as a share of the range of the values computed.
    """
    rows, columns = len(y), len(x)
    values = torch.full((rows, columns), torch.nan, dtype=torch.float64)
    computed = torch.zeros(rows, columns, dtype=torch.bool)

    def compute(wanted: Tensor) -> None:
        which = (wanted & ~computed).nonzero()
        if len(which):
            values[which[:, 0], which[:, 1]] = evaluate(torch.stack([x[which[:, 1]], y[which[:, 0]]], 1))
            computed[which[:, 0], which[:, 1]] = True

    across, down = _nodes(columns), _nodes(rows)
    if len(across) < 4 or len(down) < 4:
        return every_point(evaluate, x, y)
    compute(_product(down, across, rows, columns))
    coarse = values[down][:, across]
    guess = _cubic(y, down) @ coarse @ _cubic(x, across).T
    middles = (down[:-1] + down[1:]) // 2, (across[:-1] + across[1:]) // 2
    compute(_product(*middles, rows, columns))
    there, guessed = values[middles[0]][:, middles[1]], guess[middles[0]][:, middles[1]]
    errors, scale = there - guessed, Scale.of(values[computed])
    finite = values[values.isfinite()]
    size = float(finite.max() - finite.min()) if len(finite) else 0.0
    # Also where it is no number; and where an error that is small as a loss would be seen in the picture.
    drawn = (scale.height(there) - scale.height(guessed)).abs()
    bad = ~(errors.abs() <= tolerance * size) | (drawn > SEEN)
    if float(bad.double().mean()) > ROUGH:
        bad = torch.ones_like(bad)
    good = torch.where(bad, 0.0, errors)
    guess = guess + _hump(y, down, middles[0]) @ good @ _hump(x, across, middles[1]).T
    # A cell is computed with its edges: the neighbours share them.
    inside = _inside(rows, down).double() @ bad.double() @ _inside(columns, across).double().T > 0
    compute(inside | ~guess.isfinite())
    doubt = float(good.abs().max()) / size if size else 0.0
    return Grid(torch.where(computed, values, guess), computed, doubt)


def _nodes(count: int) -> Tensor:
    """Return the indices of the coarse grid's points, both ends among them."""
    every = EVERY if count >= FINE else EVERY // 2
    return torch.linspace(0, count - 1, max(2, round((count - 1) / every) + 1)).round().long().unique()


def _product(down: Tensor, across: Tensor, rows: int, columns: int) -> Tensor:
    wanted = torch.zeros(rows, columns, dtype=torch.bool)
    wanted[down[:, None], across] = True
    return wanted


def _cubic(x: Tensor, nodes: Tensor) -> Tensor:
    """Return what makes values at nodes to values at all points, (points, nodes): by cubics through four."""
    x, at = x.double(), x[nodes].double()
    weights = torch.zeros(len(x), len(at), dtype=torch.float64)
    first = (torch.searchsorted(at, x) - 2).clamp(0, len(at) - 4)
    for i in range(4):
        weight = torch.ones(len(x), dtype=torch.float64)
        for j in range(4):
            if j != i:
                weight = weight * (x - at[first + j]) / (at[first + i] - at[first + j])
        weights[torch.arange(len(x)), first + i] += weight
    return weights


def _hump(x: Tensor, nodes: Tensor, middles: Tensor) -> Tensor:
    """Return a hump over each cell, (points, cells): 0 at its ends, 1 in its middle."""
    low, high = x[nodes[:-1]].double(), x[nodes[1:]].double()

    def hump(at: Tensor) -> Tensor:
        return (at - low) * (high - at)

    return (hump(x.double()[:, None]) / hump(x[middles].double()).clamp_min(1e-300)).clamp_min(0)


def _inside(count: int, nodes: Tensor) -> Tensor:
    """Return which points (points, cells) lie in a cell or on its edge."""
    at = torch.arange(count)[:, None]
    return (at >= nodes[:-1]) & (at <= nodes[1:])
