"""Newton's method without a matrix: products with the Hessian, which cost about two gradients each."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods.curvature.box import Box
from descend.methods.curvature.deterministic import AT_BOUNDS, MINIMUM, Deterministic, Ended
from descend.methods.curvature.line_search import Place, noise
from descend.methods.curvature.objective import Objective, Product, flat, norm_of
from descend.methods.curvature.searching import LineSearching
from descend.methods.curvature.steihaug import steihaug

_PRODUCTS: Mapping[str, Any] = {
    "most_products": ("a whole number of at least 1", lambda x: x >= 1 and x == int(x)),
}


def forcing(norm: float, first: float) -> float:
    """Return how exactly the model is solved: ever more as the gradient falls, so that digits double."""
    return min(0.1, math.sqrt(norm / first)) if first else 0.1


class NewtonCG(LineSearching):
    """Newton's method by conjugate gradients, with a line search.

    Equations::

        H d = −g by conjugate gradients, up to ‖H d + g‖ ≤ min(0.1, √(‖g‖/‖g₀‖)) ‖g‖
        w ← w + α d          (α: a line search; first 1)

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: the first trial of the line search, as a share of Newton's step.
        line_search: ``more-thuente``, ``strong-wolfe`` or ``backtracking``.
        decrease: how much of the slope's promise a step must keep, in (0, ½).
        curvature: how flat the line must be where a step ends.
        most_products: products with the Hessian a step.

    Memory: nothing between steps; 24 bytes a float32 parameter within one.

    Use it when: the loss is smooth and nearly convex, with more parameters than a matrix is held for.

    Source: Dembo & Steihaug 1983, Math. Programming 26; Nocedal & Wright 2006, algorithm 7.1.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 1.0], dtype=torch.float64))
        >>> opt = descend.NewtonCG([w])
        >>> for _ in range(20):
        ...     loss = opt.step(lambda: w[0] ** 4 + 10 * (w[1] - 2) ** 2)
        >>> bool((w.detach() - torch.tensor([0.0, 2.0])).abs().max() < 1e-2)
        True
    """

    equation: ClassVar[str] = "H·d = −g by CG;  w ← w + α·d"
    most_products: int = 200
    ranges: ClassVar[Mapping[str, Any]] = {**LineSearching.ranges, **_PRODUCTS}

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        value, pieces, product = objective.hessian()
        if self._nowhere(value, *pieces):
            return value, value, flat(pieces)
        kept, h = self.kept, self.param_groups[0]
        norm = norm_of(pieces)
        first = kept.setdefault("first", norm)
        most = min(h["most_products"], 2 * objective.count)
        direction = steihaug(
            flat(pieces), product, objective, tolerance=forcing(norm, first), most=most
        ).vector
        g = flat(pieces)
        del product, pieces
        slope = float(g @ direction)
        if not slope < 0:
            direction, slope = -g, -(norm**2)
        while True:
            found, gradient = self._search(objective, Place(0.0, value, slope), direction, h["lr"])
            if gradient is None:
                uphill = Place(0.0, value, -(norm**2))
                found, gradient = self._search(objective, uphill, -g, min(1.0, 1 / norm))
            if gradient is not None or not self._noisier():
                break
        if gradient is None:
            self.ended = self._verdict(value, g, found.walled)
            return value, value, g
        self._resting(value, found.place.value, gradient)
        return value, found.place.value, gradient


class TrustRegion(Deterministic):
    """What methods share that trust a quadratic model within a radius."""

    lr: float = 1.0
    radius: float | None = None
    most_products: int = 200
    ranges: ClassVar[Mapping[str, Any]] = {
        "lr": ("above 0", lambda x: x > 0),
        "radius": ("above 0, or None", lambda x: x is None or x > 0),
        **_PRODUCTS,
    }

    def _model(self, objective: Objective) -> tuple[float, list[Tensor], Product]:
        """Return loss, gradient, and what multiplies the model's curvature with a vector."""
        raise NotImplementedError

    def _box(self) -> Box | None:
        """Return the bounds that parameters are kept within, if there are any."""
        return None

    def _first_radius(self, far: float) -> float:
        """Return the radius to start with, where the parameters' norm is ``far``."""
        return self.param_groups[0]["radius"] or max(far, 1.0)

    def _descend(self, objective: Objective) -> tuple[float, float, Tensor]:
        kept, h, walled, box = self.kept, self.param_groups[0], False, self._box()
        if box is not None:
            box.put(objective)
        while True:
            value, pieces, product = self._model(objective)
            held = None
            if box is not None:
                pieces, product, held = box.kept_within(objective, pieces, product)
            if self._nowhere(value, *pieces):
                if held and self.ended is not None and self.ended.outcome == MINIMUM:
                    self.ended = Ended(MINIMUM, AT_BOUNDS)
                if self.ended is not None and self.ended.outcome == MINIMUM and self.indefinite:
                    return self._off_a_saddle(objective, value, pieces, product)
                return value, value, flat(pieces)
            norm = norm_of(pieces)
            first = kept.setdefault("first", norm)
            far = norm_of(objective.parameters)
            radius = kept.setdefault("radius", self._first_radius(far))
            most = min(h["most_products"], 2 * objective.count)
            step = steihaug(
                flat(pieces), product, objective, radius, tolerance=forcing(norm, first), most=most
            )
            p, gain, edge = step.vector, step.gain, step.edge
            g = flat(pieces)
            if box is not None:
                p, gain = box.cut(objective, p, gain, g, product)
            # The graph is of tensors that move now: where the step is refused, it is made anew.
            del product, pieces, step
            eps, origin = self._eps(g), objective.point()
            length = float(torch.linalg.vector_norm(p))
            objective.step(p)
            new, gradient = objective.gradient()
            walled |= not math.isfinite(new)
            actual = value - new
            if max(abs(actual), gain) <= noise(value, eps):  # rounding: the slopes tell
                actual = -0.5 * (float(g @ p) + float(gradient @ p))
            ratio = actual / gain if gain > 0 and math.isfinite(actual) else -1.0
            if ratio < 0.25:
                kept["radius"] = 0.25 * length
            elif ratio > 0.75 and edge:
                kept["radius"] = 2 * radius
            if ratio > 1e-4:
                inward = gradient if box is None else box.inward(objective.point(), gradient)
                self._resting(value, new, inward)
                return value, new, gradient
            objective.move(origin)
            if length <= eps * max(far, eps) or gain == 0:
                self.ended = self._verdict(value, g, walled)
                return value, value, g
            del p, g, gradient, origin  # before as many are made again

    def _off_a_saddle(
        self, objective: Objective, value: float, gradient: list[Tensor], product: Product
    ) -> tuple[float, float, Tensor]:
        """Look for a way down where the gradient is zero: along a direction of negative curvature.

        Conjugate gradients on a random vector meet one, if there is any, within as many products as there
        are different eigenvalues.
        """
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(objective.count, generator=generator, dtype=gradient[0].dtype).to(
            gradient[0].device
        )
        most = min(self.param_groups[0]["most_products"], 2 * objective.count)
        found = steihaug(noise, product, objective, 1e300, tolerance=1e-6, most=most).negative
        del product, noise
        if found is None:
            return value, value, flat(gradient)
        length = self.kept.get("radius", 1.0)
        found.mul_(1 / float(torch.linalg.vector_norm(found)))
        origin = objective.point()
        for _ in range(30):
            objective.step(found, length)
            new, beyond = objective.gradient()
            if math.isfinite(new) and new < value:
                self.ended = None
                self.kept["flattest"] = math.inf
                return value, new, beyond
            objective.move(origin)
            length /= 4
        return value, value, flat(gradient)


class GaussNewton(TrustRegion):
    """Gauss–Newton in a trust region, without a matrix: Levenberg and Marquardt's method for many parameters.

    Equations, with J the derivatives of the function's outputs and L the loss's second ones in the outputs::

        G = Jᵀ L J          (positive semi-definite, and the Hessian where the function is linear)
        p ≈ argmin gᵀp + ½ pᵀGp,  ‖p‖ ≤ Δ          (Steihaug's conjugate gradients)
        w ← w + p where the loss falls as the model says; Δ grows and shrinks with how well it says it

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: without effect: the radius is the step's length.
        radius: Δ at the start; ``None`` takes the parameters' norm, at least 1.
        most_products: products with G a step.

    Memory: nothing between steps; 24 bytes a float32 parameter within one.

    Use it when: the loss is convex in the function's outputs (squares, cross-entropy) and there are more
    parameters than a Jacobian is held for; with fewer, ``LevenbergMarquardt``.

    Source: Schraudolph 2002, Neural Computation 14; Martens 2010, Deep learning via Hessian-free
    optimization.

    Example:
        >>> import torch, descend
        >>> x = torch.linspace(0, 1, 20, dtype=torch.float64)
        >>> problem = descend.Problem(lambda p, x: p["a"] * torch.exp(p["b"] * x), "mse",
        ...     train=(x, 2 * torch.exp(-3 * x)), parameters={"a": torch.ones(()), "b": torch.zeros(())})
        >>> run = descend.Descent(problem, "gaussnewton")
        >>> run.run(descend.Until(steps=50)).value
        'minimum'
    """

    equation: ClassVar[str] = "w ← w + argmin gᵀp + ½pᵀJᵀLJp, ‖p‖ ≤ Δ"

    def _model(self, objective: Objective) -> tuple[float, list[Tensor], Product]:
        return objective.gauss_newton()


class Newton(TrustRegion):
    """Newton's method in a trust region: it also leaves saddles, along the negative curvature.

    Equations::

        p ≈ argmin gᵀp + ½ pᵀHp,  ‖p‖ ≤ Δ          (Steihaug's conjugate gradients)
        w ← w + p where the loss falls as the model says; Δ grows and shrinks with how well it says it

    Args:
        params: parameters, or groups of them; full-batch use: all examples, the same in every step.
        lr: without effect: the radius is the step's length.
        radius: Δ at the start; ``None`` takes the parameters' norm, at least 1.
        most_products: products with the Hessian a step.

    Memory: nothing between steps; 24 bytes a float32 parameter within one.

    Use it when: the loss is smooth, all examples are taken at once, and the last digit is wanted; each step
    costs some gradients, and few steps are needed.

    Source: Steihaug 1983, SIAM J. Numer. Anal. 20(3); Conn, Gould & Toint 2000, Trust-Region Methods.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([-1.2, 1.0], dtype=torch.float64))
        >>> opt = descend.Newton([w])
        >>> for _ in range(50):
        ...     loss = opt.step(lambda: 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2)
        ...     if opt.ended: break
        >>> opt.ended.outcome, bool((w.detach() - 1).abs().max() < 1e-12)
        ('minimum', True)
    """

    equation: ClassVar[str] = "w ← w + argmin gᵀp + ½pᵀHp, ‖p‖ ≤ Δ"
    indefinite: ClassVar[bool] = True

    def _model(self, objective: Objective) -> tuple[float, list[Tensor], Product]:
        return objective.hessian()
