"""Levenberg and Marquardt's method for sums of squares, to the last digit."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.curvature.box import Box
from descend.methods.curvature.deterministic import AT_BOUNDS, MINIMUM, NOT_FINITE, STUCK, Ended
from descend.methods.curvature.linearised import Linearised
from descend.methods.curvature.newton import TrustRegion
from descend.methods.curvature.objective import Objective, Product

Bound = float | Sequence[float] | None

FEW = 100
"""Parameters whose Jacobian is always written down."""
MOST_SINGULAR_VALUES = 1000
MOST_NUMBERS = 1 << 24
"""Numbers in a Jacobian that is written down: 128 MB in float64."""


class LevenbergMarquardt(TrustRegion):
    """Levenberg–Marquardt: for fitting curves, by how each residual depends on each parameter.

    Equations, with the residuals r, their Jacobian J and D the largest lengths of J's columns so far::

        (JᵀJ + λ D²) p = −Jᵀ r,   λ ≥ 0 the least with ‖D p‖ ≤ Δ
        w ← w + p where the squares fall as the model says; Δ grows and shrinks with how well it says it

    solved by the singular values of J D⁻¹, never by JᵀJ, which would halve the digits. Where the squares
    change by their rounding alone, Jᵀr judges a step: so a minimum is met to the last digit. Of more than 100
    parameters, where J would have more than 16 million numbers or 1,000 singular values, it is not written
    down: p comes from conjugate gradients then, as ``GaussNewton``'s does, within the same bounds, and D = I.

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: without effect: the trust region is the step's length.
        radius: Δ at the start, as a multiple of ‖D w‖.
        most_products: products with JᵀJ a step, where J is not written down.
        lower: no parameter becomes less: a number, or one a parameter's number, in the parameters' order.
        upper: no parameter becomes more.

    Memory: 8 bytes a float64 parameter between steps; a Jacobian of 8 · m · n bytes, and as much again for
    its singular values, within one; without a matrix 48 bytes a float64 parameter.

    Use it when: the loss is a mean of squares: curves, small networks. For other losses ``GaussNewton``.

    Source: Moré 1978, The Levenberg–Marquardt algorithm: implementation and theory; Levenberg 1944, Marquardt
    1963.

    Differs: from MINPACK's ``lmder`` in that the trust region is solved by singular values, bounds are kept,
    and it goes on where the sum of squares says nothing any more.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)
        >>> problem = descend.Problem(lambda p, x: p["a"] * torch.exp(p["b"] * x), "mse",
        ...     train=(x, 2 * torch.exp(-3 * x)), parameters={"a": torch.ones(()), "b": torch.zeros(())})
        >>> run = descend.Descent(problem, "lm")
        >>> run.run(descend.Until(steps=50)).value, round(float(run.result().b), 6)
        ('minimum', -3.0)
    """

    equation: ClassVar[str] = "(JᵀJ + λD²)·p = −Jᵀr;  w ← w + p"
    bytes_per_parameter: ClassVar[float] = 4
    of_squares: ClassVar[bool] = True

    lr: float = 1.0
    radius: float | None = 1.0
    lower: Bound = None
    upper: Bound = None

    ranges: ClassVar[Mapping[str, Any]] = {
        **TrustRegion.ranges,
        "radius": ("above 0", lambda x: x is not None and x > 0),
    }

    _here: tuple[Tensor, Tensor, Tensor] | None = None
    """A point with its residuals and Jacobian, once they are known."""

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        n = objective.count
        if "matrix" not in self.kept:
            m = objective.residuals().numel() if n > FEW else 1
            self.kept["matrix"] = int(m * n <= MOST_NUMBERS and min(m, n) <= MOST_SINGULAR_VALUES)
        return self._by_matrix(objective) if self.kept["matrix"] else super()._descend(objective)

    def _model(self, objective: Objective) -> tuple[float, list[Tensor], Product]:
        return objective.gauss_newton()

    def _first_radius(self, far: float) -> float:
        return self.param_groups[0]["radius"] * max(far, 1.0)

    def _by_matrix(self, objective: Objective) -> tuple[float, float, Tensor]:
        box = self._box()
        if box is None:
            infinite = objective.point().fill_(math.inf)
            box = Box(-infinite, infinite)
        x = box.put(objective)
        here, self._here = self._here, None
        r, J = here[1:] if here is not None and torch.equal(here[0], x) else objective.jacobian()
        value, g = _loss(r, J)
        if not (math.isfinite(value) and bool(J.isfinite().all() and x.isfinite().all())):
            self.ended = Ended(
                NOT_FINITE, "The residuals or their derivatives are no finite numbers where it stands."
            )
            return value, value, g
        free = box.free(x, g)
        if not bool(g[free].any()):
            self.ended = Ended(MINIMUM, "The gradient is zero." if bool(free.all()) else AT_BOUNDS)
            return value, value, g
        kept = self.kept
        lengths = torch.linalg.vector_norm(J, dim=0)
        kept["lengths"] = torch.maximum(kept.get("lengths", lengths), lengths)
        line = Linearised(r, J, free, kept["lengths"])
        kept["largest"] = max(kept.get("largest", 0.0), line.size)
        far = line.length(x)
        kept.setdefault("radius", self.param_groups[0]["radius"] * (far or 1.0))
        eps = torch.finfo(x.dtype).eps
        # What roundings of residuals as large as those at the start do to the sum of squares.
        rounding = 10 * eps * line.size * kept["largest"]
        while True:
            step, damping = line.within(kept["radius"])
            new = (x + step).clamp(box.lower, box.upper)
            clipped, p = not torch.equal(new, x + step), new - x
            gain, length = line.gain(p), line.length(p)
            if damping == 0:
                kept.pop("walled", None)
            if not bool((new != x).any()) or length <= 1e-3 * eps * far or kept["radius"] <= eps * eps * far:
                self.ended = self._done(line)
                return value, value, g
            if gain > rounding:
                objective.move(new)
                trial = objective.residuals()
                if self._worth(line, p, gain, length, float(trial @ trial)):
                    return value, *self._moved(objective)
                objective.move(x)
            elif clipped:  # cut at a bound it may climb; a shorter one does not
                kept["radius"] = 0.25 * min(kept["radius"], length)
            else:
                objective.move(new)
                after = self._by_slope(objective, line)
                if after is None:
                    objective.move(x)
                    self._here = None
                    self.ended = self._done(line)
                return value, *(after or (value, g))

    def _worth(self, line: Linearised, p: Tensor, gain: float, length: float, after: float) -> bool:
        """Whether a step keeps enough of what it promised; the radius is set by how much.

        Args:
            line: the model.
            p: the step.
            gain: by how much the sum of squares was to fall.
            length: ‖D p‖.
            after: the sum of squares after the step.
        """
        kept, before = self.kept, line.size**2
        if not math.isfinite(after):
            kept["walled"] = 1  # until a step is not cut short any more
            kept["radius"] = 0.1 * min(kept["radius"], length)
            return False
        ratio = (before - after) / gain
        if ratio < 0.25:
            slope, shrink = float(p @ line.pull), 0.5
            if after > before and slope < 0:  # the parabola's minimum
                shrink = min(max(-slope / (after - before - 2 * slope), 0.1), 0.5)
            kept["radius"] = shrink * min(kept["radius"], length)
        elif ratio > 0.75:
            kept["radius"] = max(kept["radius"], 2 * length)
        return ratio > 1e-4

    def _moved(self, objective: Objective) -> tuple[float, Tensor]:
        """Return loss and gradient of the point it moved to; the next step begins with what is asked here."""
        r, J = objective.jacobian()
        self._here = objective.point(), r, J
        return _loss(r, J)

    def _by_slope(self, objective: Objective, line: Linearised) -> tuple[float, Tensor] | None:
        """Judge a step whose gain is below rounding by whether the residuals come to stand upright on J.

        Returns:
            Loss and gradient where they do; ``None`` where the step is to be taken back.
        """
        found = self._moved(objective)
        assert self._here is not None
        _, r, J = self._here
        if not (math.isfinite(found[0]) and bool(J.isfinite().all())):
            return None
        now = Linearised(r, J, line.free, torch.linalg.vector_norm(J, dim=0)).steepness
        if now >= line.steepness:
            return None
        slow = self.kept["slow"] = 0 if now < 0.5 * line.steepness else self.kept.get("slow", 0) + 1
        if slow >= MOST_SLOW:
            self.ended = self._done(line)
        return found

    def _done(self, line: Linearised) -> Ended:
        if self.kept.get("walled"):
            return Ended(STUCK, "Every lower point lies behind residuals that are no finite numbers.")
        why = "No step lowers the squares, nor their gradient: this is a minimum, to the last digit."
        if not bool(line.free.all()):
            why = AT_BOUNDS
        if line.singular:
            why += " The Jacobian is singular there: the data do not determine all of the parameters."
        return Ended(MINIMUM, why)

    def _check(self) -> None:
        super()._check()
        self._box()

    def _box(self) -> Box | None:
        h = self.param_groups[0]
        if h["lower"] is None and h["upper"] is None:
            return None
        parameters = self._parameters()
        count, found = sum(p.numel() for p in parameters), []
        like = parameters[0]
        for name, unbounded in (("lower", -math.inf), ("upper", math.inf)):
            value = unbounded if h[name] is None else h[name]
            try:
                given = torch.as_tensor(value, dtype=like.dtype, device=like.device)
            except (TypeError, ValueError):
                raise UsageError(f"numbers as {name} bounds", repr(value), "use inf for none") from None
            if given.numel() not in (1, count):
                raise UsageError(
                    f"one {name} bound, or {count}, one a number", f"{given.numel()}", "use inf for none"
                )
            found.append(given.reshape(-1).expand(count))
        lower, upper = found
        if not bool((lower <= upper).all()):
            raise UsageError("lower bounds at most the upper ones", "one above", "exchange them")
        return Box(lower, upper)


MOST_SLOW = 20
"""Steps in which slopes alone decide and fall by less than a half, after which it is done."""


def _loss(r: Tensor, J: Tensor) -> tuple[float, Tensor]:
    """Return the mean of the squares and its gradient (n,)."""
    return float(r @ r) / r.numel(), J.T @ r * (2 / r.numel())
