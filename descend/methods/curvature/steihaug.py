"""The model's minimum, by conjugate gradients that need products with the curvature alone."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.methods.curvature.objective import Objective, Product


@dataclass(frozen=True)
class Step:
    """A step towards the minimum of a quadratic model.

    Attributes:
        vector: the step (n,).
        gain: by how much the model falls, ≥ 0.
        edge: whether it ends on the trust region's edge.
        negative: the direction along which the curvature was not positive, if it followed one.
        products: how many were taken.
    """

    vector: Tensor
    gain: float
    edge: bool
    negative: Tensor | None
    products: int


def steihaug(
    gradient: Tensor,
    product: Product,
    objective: Objective,
    radius: float = math.inf,
    *,
    tolerance: float,
    most: int,
) -> Step:
    """Minimise gᵀp + ½ pᵀHp within ‖p‖ ≤ radius (Steihaug 1983, SIAM J. Numer. Anal. 20(3)).

    It holds four vectors beyond the gradient: the step, the residual, the direction and its product. Without
    a radius it stops before a direction of negative curvature (Newton-CG); if that is the first, −g, it
    returns some of it.

    Args:
        gradient: g (n,); its memory is used.
        product: v (n,) → Hv, in the parameters' shapes.
        objective: knows the shapes.
        radius: of the trust region.
        tolerance: where the residual is this share of ‖g‖ it ends.
        most: products.
    """
    r = gradient
    p, d = torch.zeros_like(r), -r
    r_pieces = objective.pieces(r)
    squared = first = float(r @ r)
    gain, k = 0.0, 0
    while k < most:
        found = product(d)
        k += 1
        curve = objective.dot(d, found)
        if not math.isfinite(curve):
            break
        if curve <= 0:
            if math.isinf(radius):
                if k == 1:
                    # As long as a curvature of the other sign would have it.
                    return Step(d.mul_(squared / -curve if curve else 1.0), squared, False, d, k)
                return Step(p, gain, False, d, k)
            tau = _to_edge(p, d, radius)
            gain -= tau * float(r @ d) + 0.5 * tau * tau * curve
            return Step(p.add_(d, alpha=tau), gain, True, d, k)
        alpha = squared / curve
        if math.isfinite(radius):
            pp, pd, dd = float(p @ p), float(p @ d), float(d @ d)
            if pp + 2 * alpha * pd + alpha * alpha * dd >= radius * radius:
                tau = _to_edge(p, d, radius)
                gain -= tau * float(r @ d) + 0.5 * tau * tau * curve
                return Step(p.add_(d, alpha=tau), gain, True, None, k)
        p.add_(d, alpha=alpha)
        gain += 0.5 * alpha * squared
        for a, b in zip(r_pieces, found, strict=True):
            a.add_(b, alpha=alpha)
        del found
        before, squared = squared, float(r @ r)
        if squared <= tolerance * tolerance * first:
            break
        d.mul_(squared / before).sub_(r)
    return Step(p, gain, False, None, k)


def _to_edge(p: Tensor, d: Tensor, radius: float) -> float:
    """Return τ ≥ 0 with ‖p + τ d‖ = radius."""
    pp, pd, dd = float(p @ p), float(p @ d), float(d @ d)
    left = max(radius * radius - pp, 0.0)
    root = math.sqrt(pd * pd + dd * left)
    return left / (pd + root) if pd > 0 else (root - pd) / dd
