"""Nonlinear conjugate gradients: curvature from the last direction alone, in two vectors of memory."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from descend.methods.curvature.line_search import Place
from descend.methods.curvature.objective import Objective
from descend.methods.curvature.searching import LineSearching


class ConjugateGradients(LineSearching):
    """Nonlinear conjugate gradients: each direction remembers the last one, in the least memory.

    Equations (CG_DESCENT's β, which always gives descent)::

        β = (y − 2 d yᵀy/dᵀy)ᵀ g / dᵀy,   y = g − g₋₁
        d ← −g + max(β, η) d,   η = −1/(‖d‖ min(0.01, ‖g₋₁‖))
        w ← w + α d          (α: a line search)

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: the first trial of the line search, as a share of what the last step suggests.
        line_search: ``more-thuente``, ``strong-wolfe`` or ``backtracking``.
        decrease: how much of the slope's promise a step must keep, in (0, ½).
        curvature: how flat the line must be where a step ends; directions are conjugate only where searches
            are careful, so less than L-BFGS's.

    Memory: 8 bytes a float32 parameter: the last direction and the last gradient.

    Use it when: the loss is smooth, takes all examples at once, and memory forbids L-BFGS's pairs.

    Source: Hager & Zhang 2005, SIAM J. Optim. 16(1); Polak & Ribière 1969, Fletcher & Reeves 1964.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 1.0], dtype=torch.float64))
        >>> opt = descend.ConjugateGradients([w])
        >>> for _ in range(20):
        ...     loss = opt.step(lambda: w[0] ** 2 + 10 * w[1] ** 2)
        ...     if opt.ended: break
        >>> bool(w.detach().abs().max() < 1e-8)
        True
    """

    equation: ClassVar[str] = "d ← −g + β·d;  w ← w + α·d"
    bytes_per_parameter: ClassVar[float] = 8
    curvature: float = 0.1

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        value, g = objective.gradient()
        if self._nowhere(value, g):
            return value, value, g
        kept, h = self.kept, self.param_groups[0]
        while True:
            direction, first, anew = self._direction(g)
            slope = float(g @ direction)
            if not slope < 0 or not math.isfinite(first):
                continue  # with the gradient
            found, gradient = self._search(objective, Place(0.0, value, slope), direction, h["lr"] * first)
            if gradient is not None:
                break
            if anew and not self._noisier():
                self.ended = self._verdict(value, g, found.walled)
                return value, value, g
        kept.update(direction=direction, gradient=g, length=found.place.step, slope=slope)
        self._resting(value, found.place.value, gradient)
        return value, found.place.value, gradient

    def _direction(self, g: Tensor) -> tuple[Tensor, float, bool]:
        """Return a direction, the first step to try, and whether it is the gradient alone.

        What is kept of the last step is used up: if no step along the direction descends, the next one is
        the gradient's.
        """
        kept = self.kept
        steep = float(torch.linalg.vector_norm(g))
        if "direction" not in kept:
            return -g, 1 / steep, True
        d, before = kept.pop("direction"), kept.pop("gradient")
        y = g - before
        along = float(d @ y)
        if not along:
            return -g, 1 / steep, True
        beta = (float(y @ g) - 2 * float(y @ y) * float(d @ g) / along) / along
        length = float(torch.linalg.vector_norm(d)) * min(0.01, float(torch.linalg.vector_norm(before)))
        least = -1 / length if length else -math.inf
        direction = d.mul_(max(beta, least)).sub_(g)
        slope = float(g @ direction)
        return direction, kept["length"] * kept["slope"] / slope if slope else math.inf, False
