"""Limited-memory BFGS: the curvature along the last few steps, kept as pairs of vectors."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods.curvature.line_search import Place
from descend.methods.curvature.objective import Objective
from descend.methods.curvature.searching import LineSearching


class LBFGS(LineSearching):
    """Limited-memory BFGS: Newton's method with the curvature that the last steps met.

    Equations, with the pairs s = w₁ − w₀ and y = g₁ − g₀ of the last ``history`` steps::

        H ← (I − s yᵀ/sᵀy) H (I − y sᵀ/sᵀy) + s sᵀ/sᵀy,   H₀ = sᵀy/yᵀy · I
        w ← w − α H g          (α: a line search; first 1)

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: the first trial of the line search, as a share of the step that the curvature suggests.
        line_search: ``more-thuente``, ``strong-wolfe`` or ``backtracking``.
        decrease: how much of the slope's promise a step must keep, in (0, ½).
        curvature: how flat the line must be where a step ends, as a share of its slope at the start.
        history: how many pairs are kept, ≥ 1.

    Memory: ``history`` × 8 bytes a float32 parameter, 80 at the default.

    Use it when: the loss is smooth, takes all examples at once, and first-order methods leave it at two
    digits: fits, small networks, physics. With batches that change, the pairs measure noise: use an adaptive
    method.

    Source: Liu & Nocedal 1989, Math. Programming 45; Moré & Thuente 1994 for the search.

    Differs: from ``torch.optim.LBFGS`` in that a step is one iteration, a search that fails begins anew with
    the gradient, values that are not finite are a wall that it stays before, and losses whose difference is
    rounding are compared by their slopes.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
        >>> opt = descend.LBFGS([w])
        >>> for _ in range(50):
        ...     loss = opt.step(lambda: 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2)
        ...     if opt.ended: break
        >>> opt.ended.outcome, bool((w.detach() - 1).abs().max() < 1e-12)
        ('minimum', True)
    """

    equation: ClassVar = "w ← w − α·H·g;  H from the last pairs (Δw, Δg)"
    bytes_per_parameter: ClassVar[float] = 80
    history: int = 10
    ranges: ClassVar[Mapping[str, Any]] = {
        **LineSearching.ranges,
        "history": ("a whole number of at least 1", lambda x: x >= 1 and x == int(x)),
    }

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        value, g = objective.gradient()
        if self._nowhere(value, g):
            return value, value, g
        kept, h = self.kept, self.param_groups[0]
        while True:
            steps: list[Tensor] = kept.setdefault("steps", [])
            changes: list[Tensor] = kept.setdefault("changes", [])
            direction = _direction(g, steps, changes)
            slope = float(g @ direction)
            if not slope < 0 and steps:  # rounding, or a function that is none: no descent
                steps.clear()
                changes.clear()
                continue
            first = 1.0 if steps else min(1.0, 1 / math.sqrt(-slope))
            start = Place(0.0, value, slope)
            found, gradient = self._search(objective, start, direction, h["lr"] * first)
            if gradient is not None:
                break
            if not steps:
                if self._noisier():
                    continue
                self.ended = self._verdict(value, g, found.walled)
                return value, value, g
            steps.clear()
            changes.clear()  # begin anew with the gradient
        new = found.place
        s, y = new.step * direction, gradient - g
        if float(s @ y) > torch.finfo(y.dtype).eps * float(y @ y):
            steps.append(s)
            changes.append(y)
            del steps[: -h["history"]], changes[: -h["history"]]
        self._resting(value, new.value, gradient)
        return value, new.value, gradient


def _direction(g: Tensor, steps: list[Tensor], changes: list[Tensor]) -> Tensor:
    """Return −H g by the two loops."""
    d = -g
    weights = []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        weights.append(float(s @ d) / float(s @ y))
        d.add_(y, alpha=-weights[-1])
    if steps:
        s, y = steps[-1], changes[-1]
        d.mul_(float(s @ y) / float(y @ y))
    for s, y in zip(steps, changes, strict=True):
        d.add_(s, alpha=weights.pop() - float(y @ d) / float(s @ y))
    return d
