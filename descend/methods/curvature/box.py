"""Bounds that parameters are kept within, and what they do to a quadratic model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from descend.methods.curvature.objective import Objective, Product, flat


@dataclass(frozen=True)
class Box:
    """The points between a lower and an upper bound.

    Attributes:
        lower: shape (n,); −inf where there is none.
        upper: shape (n,); inf where there is none.
    """

    lower: Tensor
    upper: Tensor

    def put(self, objective: Objective) -> Tensor:
        """Move the parameters into the box, if they are not in it; return where they are then, (n,)."""
        x = objective.point()
        inside = x.clamp(self.lower, self.upper)
        if not torch.equal(inside, x):
            objective.move(inside)
        return inside

    def free(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Return which parameters (n,) may go where the loss falls; the others stay at their bounds."""
        return ~(((x <= self.lower) & (gradient > 0)) | ((x >= self.upper) & (gradient < 0)))

    def inward(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Return a gradient (n,) without what lies beyond the bounds."""
        return gradient * self.free(x, gradient)

    def kept_within(
        self, objective: Objective, gradient: list[Tensor], product: Product
    ) -> tuple[list[Tensor], Product, bool]:
        """Return a model in which parameters stay at their bounds while the loss falls beyond them.

        Args:
            objective: knows where the parameters are.
            gradient: in the parameters' shapes.
            product: multiplies the model's curvature with a vector.

        Returns:
            Both without those parameters, and whether there are any.
        """
        free = self.free(objective.point(), flat(gradient))
        if bool(free.all()):
            return gradient, product, False
        masks = objective.pieces(free)

        def within(v: Tensor) -> list[Tensor]:
            return [a * mask for a, mask in zip(product(v), masks, strict=True)]

        return [g * mask for g, mask in zip(gradient, masks, strict=True)], within, True

    def cut(
        self, objective: Objective, step: Tensor, gain: float, gradient: Tensor, product: Product
    ) -> tuple[Tensor, float]:
        """Return a step cut at the bounds, and by how much the model falls in it.

        Args:
            objective: knows where the parameters are.
            step: (n,), whole.
            gain: of the whole step.
            gradient: (n,), of the model.
            product: multiplies the model's curvature with a vector.
        """
        x = objective.point()
        cut = (x + step).clamp(self.lower, self.upper) - x
        if bool(((x + step >= self.lower) & (x + step <= self.upper)).all()):
            return step, gain
        return cut, -float(gradient @ cut) - 0.5 * objective.dot(cut, product(cut))
