"""Residuals along a step, as their derivatives tell: what Levenberg and Marquardt's method solves."""

import math

import torch
from torch import Tensor


class Linearised:
    """Residuals r + J p as a function of a step p, in which some parameters stay where they are.

    Args:
        r: residuals (m,).
        J: their Jacobian (m, n).
        free: (n,): which parameters move.
        lengths: (n,): D, what a step's entries are measured by; where it is 0 they are taken as they are.

    Attributes:
        size: ‖r‖.
        pull: Jᵀr (n,).
        steepness: the cosine between r and what J spans: 0 at a minimum.
        singular: whether J D⁻¹ has not full rank, but for rounding.
    """

    def __init__(self, r: Tensor, J: Tensor, free: Tensor, lengths: Tensor):
        self.r, self.J, self.free = r, J, free
        self.D = torch.where(lengths > 0, lengths, torch.ones_like(lengths))
        U, self.S, self.Vt = torch.linalg.svd(J[:, free] / self.D[free], full_matrices=False)
        self.c, self.pull = U.T @ r, J.T @ r
        self.size = float(torch.linalg.vector_norm(r))
        self.steepness = float(torch.linalg.vector_norm(self.c)) / self.size if self.size else 0.0
        self.zero = len(self.S) * torch.finfo(J.dtype).eps * self.S.max() >= self.S
        self.singular = bool(self.zero.any()) or len(self.S) < int(free.sum())

    def gain(self, p: Tensor) -> float:
        """Return by how much the sum of squares falls in a step."""
        return -float(p @ (self.J.T @ (2 * self.r + self.J @ p)))

    def length(self, p: Tensor) -> float:
        """Return ‖D p‖."""
        return float(torch.linalg.vector_norm(self.D * p))

    def within(self, radius: float) -> tuple[Tensor, float]:
        """Return the step (n,) with the least λ ≥ 0 that has ‖D p‖ ≤ radius, and λ.

        Newton's method on 1/‖z(λ)‖ − 1/radius, z = −S c/(S² + λ), which is almost straight (Moré 1978;
        Hebden 1973).
        """
        S, damping = self.S, 0.0
        z = -self.c * torch.where(self.zero, 0.0, 1 / torch.where(self.zero, 1.0, S))
        norm = float(torch.linalg.vector_norm(z))
        if norm > 1.1 * radius:
            high = float(torch.linalg.vector_norm(S * self.c)) / radius
            low, damping = 0.0, 1e-3 * high
            for _ in range(50):
                z = -S * self.c / (S * S + damping)
                norm = float(torch.linalg.vector_norm(z))
                if abs(norm - radius) <= 0.1 * radius:
                    break
                low, high = (damping, high) if norm > radius else (low, damping)
                change = -float((z * z / (S * S + damping)).sum()) / norm
                damping -= (norm / radius) * (norm - radius) / change
                if not low < damping < high:
                    damping = max(1e-3 * high, math.sqrt(low * high))
        p = torch.zeros_like(self.D)
        p[self.free] = (self.Vt.T @ z) / self.D[self.free]
        return p, damping
