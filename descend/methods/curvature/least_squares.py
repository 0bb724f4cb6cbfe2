"""Levenberg and Marquardt's method for sums of squares, to the last digit."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods.curvature.deterministic import MINIMUM, NOT_FINITE, STUCK, Deterministic, Ended
from descend.methods.curvature.objective import Objective

Bound = float | Sequence[float] | None


class LevenbergMarquardt(Deterministic):
    """Levenberg–Marquardt: for fitting curves, by how each residual depends on each parameter.

    Equations, with the residuals r, their Jacobian J and D the largest lengths of J's columns so far::

        (JᵀJ + λ D²) p = −Jᵀ r,   λ ≥ 0 the least with ‖D p‖ ≤ Δ
        w ← w + p where the squares fall as the model says; Δ grows and shrinks with how well it says it

    solved by the singular values of J D⁻¹, never by JᵀJ, which would halve the digits. Where the squares
    change by their rounding alone, Jᵀr judges a step: so a minimum is met to the last digit.

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: without effect: the trust region is the step's length.
        radius: Δ at the start, as a multiple of ‖D w‖.
        lower: no parameter becomes less: a number, or one a parameter's number, in the parameters' order.
        upper: no parameter becomes more.

    Memory: 8 bytes a float64 parameter between steps; a Jacobian of 8 · m · n bytes, and as much again for
    its singular values, within one.

    Use it when: the loss is a mean of squares with some thousand parameters or fewer: curves, small networks.
    With more, ``GaussNewton``, which holds no matrix.

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
    radius: float = 1.0
    lower: Bound = None
    upper: Bound = None

    ranges: ClassVar[Mapping[str, Any]] = {
        "lr": ("above 0", lambda x: x > 0),
        "radius": ("above 0", lambda x: x > 0),
    }

    _here: tuple[Tensor, Tensor, Tensor] | None = None
    """A point with its residuals and Jacobian, once they are known."""

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        x = objective.point()
        lower, upper = self._bounds(x)
        clipped = x.clamp(lower, upper)
        if not torch.equal(clipped, x):
            x = clipped
            objective.move(x)
        kept = self.kept
        here, self._here = self._here, None
        r, J = here[1:] if here is not None and torch.equal(here[0], x) else objective.jacobian()
        m, eps = r.numel(), torch.finfo(r.dtype).eps
        value = float(r @ r) / m
        g = J.T @ r * (2 / m)
        if not (math.isfinite(value) and bool(J.isfinite().all() and x.isfinite().all())):
            self.ended = Ended(
                NOT_FINITE, "The residuals or their derivatives are no finite numbers where it stands."
            )
            return value, value, g
        # A parameter at its bound stays there while the loss falls beyond it.
        free = ~(((x <= lower) & (g > 0)) | ((x >= upper) & (g < 0)))
        if not bool(g[free].any()):
            self.ended = Ended(MINIMUM, "The gradient is zero." if bool(free.all()) else _AT_BOUNDS)
            return value, value, g
        lengths = torch.linalg.vector_norm(J, dim=0)
        D = kept["lengths"] = torch.maximum(kept.get("lengths", torch.zeros_like(lengths)), lengths)
        D = torch.where(D > 0, D, torch.ones_like(D))
        U, S, Vt = torch.linalg.svd(J[:, free] / D[free], full_matrices=False)
        c = U.T @ r
        size = float(torch.linalg.vector_norm(r))
        kept["largest"] = max(kept.get("largest", 0.0), size)
        if "radius" not in kept:
            kept["radius"] = self.param_groups[0]["radius"] * (float(torch.linalg.vector_norm(D * x)) or 1.0)
        steepness = (
            float(torch.linalg.vector_norm(c)) / size if size else 0.0
        )  # the cosine of r and J's columns
        # What roundings of residuals as large as those at the start do to the sum of squares.
        rounding = 10 * eps * size * max(kept["largest"], size)
        while True:
            p = torch.zeros_like(x)
            z, damping = _within(S, c, kept["radius"], eps)
            p[free] = (Vt.T @ z) / D[free]
            if damping == 0:
                kept.pop("walled", None)
            new = (x + p).clamp(lower, upper)
            clipped = not torch.equal(new, x + p)
            p = new - x
            predicted = -float(p @ (J.T @ (2 * r + J @ p)))
            length = float(torch.linalg.vector_norm(D * p))
            if not bool((new != x).any()) or length <= eps * float(torch.linalg.vector_norm(D * x)) * 1e-3:
                self.ended = self._done(S, bool(free.all()))
                return value, value, g
            if clipped and predicted <= rounding:  # cut at a bound it may climb; a shorter one does not
                kept["radius"] = 0.25 * min(kept["radius"], length)
                continue
            objective.move(new)
            if predicted <= rounding:
                return self._by_slope(objective, x, new, value, g, steepness, S, free, kept)
            trial = objective.residuals()
            after = float(trial @ trial)
            if not math.isfinite(after):
                kept["walled"] = 1  # until a step is not cut short any more
            actual = size * size - after
            ratio = actual / predicted if math.isfinite(actual) else -1.0
            if ratio < 0.25:
                slope = float(p @ (J.T @ r))
                shrink = 0.1
                if math.isfinite(after) and actual < 0 and slope < 0:  # the parabola's minimum
                    shrink = min(max(-slope / (after - size * size - 2 * slope), 0.1), 0.5)
                elif math.isfinite(after):
                    shrink = 0.5
                kept["radius"] = shrink * min(kept["radius"], length)
            elif ratio > 0.75:
                kept["radius"] = max(kept["radius"], 2 * length)
            if ratio > 1e-4:
                return value, *self._moved(objective)
            objective.move(x)
            if kept["radius"] <= eps * eps * float(torch.linalg.vector_norm(D * x)):
                self.ended = self._done(S, bool(free.all()))
                return value, value, g

    def _moved(self, objective: Objective) -> tuple[float, Tensor]:
        """Return loss and gradient of the point it moved to; the next step begins with what is asked here."""
        r, J = objective.jacobian()
        self._here = objective.point(), r, J
        return float(r @ r) / r.numel(), J.T @ r * (2 / r.numel())

    def _by_slope(
        self,
        objective: Objective,
        x: Tensor,
        new: Tensor,
        value: float,
        g: Tensor,
        steepness: float,
        S: Tensor,
        free: Tensor,
        kept: dict[str, Any],
    ) -> tuple[float, float, Tensor]:
        """Judge a step whose gain is below rounding by whether the residuals come to stand upright on J."""
        last, gradient = self._moved(objective)
        assert self._here is not None
        _, r, J = self._here
        now = math.inf
        if bool(J.isfinite().all()) and math.isfinite(last):
            lengths = torch.linalg.vector_norm(J[:, free], dim=0)
            Q, _ = torch.linalg.qr(J[:, free] / torch.where(lengths > 0, lengths, torch.ones_like(lengths)))
            size = float(torch.linalg.vector_norm(r))
            now = float(torch.linalg.vector_norm(Q.T @ r)) / size if size else 0.0
        if now < steepness:
            kept["failed"] = 0 if now < 0.5 * steepness else kept.get("failed", 0) + 1
            if kept["failed"] < 20:
                return value, last, gradient
        else:
            objective.move(x)
            self._here = None
            last, gradient = value, g
        self.ended = self._done(S, bool(free.all()))
        return value, last, gradient

    def _done(self, S: Tensor, free: bool) -> Ended:
        if self.kept.get("walled"):
            return Ended(STUCK, "Every lower point lies behind residuals that are no finite numbers.")
        why = "No step lowers the squares, nor their gradient: this is a minimum, to the last digit."
        if not free:
            why = _AT_BOUNDS
        if S.numel() and float(S[-1]) <= S.numel() * torch.finfo(S.dtype).eps * float(S[0]):
            why += " The Jacobian is singular there: the data do not determine all of the parameters."
        return Ended(MINIMUM, why)

    def _bounds(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, found = self.param_groups[0], []
        for name, unbounded in (("lower", -math.inf), ("upper", math.inf)):
            given = torch.as_tensor(unbounded if h[name] is None else h[name], dtype=x.dtype, device=x.device)
            if given.numel() not in (1, x.numel()):
                raise UsageError(
                    f"one {name} bound, or {x.numel()}, one a number", f"{given.numel()}", "use inf for none"
                )
            found.append(given.reshape(-1).expand(x.numel()))
        lower, upper = found
        if not bool((lower <= upper).all()):
            raise UsageError("lower bounds at most the upper ones", "one above", "exchange them")
        return lower, upper


_AT_BOUNDS = "The loss falls only beyond the bounds: this is the minimum within them."


def _within(S: Tensor, c: Tensor, radius: float, eps: float) -> tuple[Tensor, float]:
    """Return the step z = −S c/(S² + λ) with the least λ ≥ 0 that has ‖z‖ ≤ radius, and λ.

    Newton's method on 1/‖z(λ)‖ − 1/radius, which is almost straight (Moré 1978; Hebden 1973).
    """
    tiny = S.numel() * eps * S.max() >= S
    inverse = torch.where(tiny, torch.zeros_like(S), 1 / torch.where(tiny, torch.ones_like(S), S))
    z = -c * inverse
    norm = float(torch.linalg.vector_norm(z))
    if norm <= 1.1 * radius:
        return z, 0.0
    Sc = S * c
    high = float(torch.linalg.vector_norm(Sc)) / radius
    low, lam = 0.0, 1e-3 * high
    for _ in range(50):
        z = -Sc / (S * S + lam)
        norm = float(torch.linalg.vector_norm(z))
        if abs(norm - radius) <= 0.1 * radius:
            break
        low, high = (lam, high) if norm > radius else (low, lam)
        change = -float((z * z / (S * S + lam)).sum()) / norm
        lam -= (norm / radius) * (norm - radius) / change
        if not low < lam < high:
            lam = max(1e-3 * high, math.sqrt(low * high))
    return z, lam
