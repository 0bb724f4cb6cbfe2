"""What a method that uses curvature may ask of a descent: the loss of its batches, wherever it likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from descend.functions.measures import difference, mse
from descend.methods.curvature.objective import Objective

if TYPE_CHECKING:
    from descend.descent.descent import Descent


def objective_of(descent: Descent, loss: Tensor) -> Objective:
    """Return the loss of the batches of the last gradient, as a function of the parameters.

    Args:
        descent: where gradients come from; its parameters move as the method asks.
        loss: that of the gradient just computed, which is not asked again.
    """
    problem, function, taken = descent.problem, descent.computed, descent.taken

    def undifferentiated() -> Tensor:
        losses = [problem.loss_of(function, batch) for batch in taken]
        return sum(losses[1:], losses[0]) / len(losses)

    parts: dict[str, Any] = {}
    if problem.loss is not None and len(taken) == 1:
        (*inputs, target), of = taken[0], problem.loss
        parts = {"outputs": lambda: function(*inputs), "loss_of": lambda output: of(output, target)}
        if of is mse:
            parts["residuals"] = lambda: difference(function(*inputs), target)
    found = Objective(
        descent.parameters,
        lambda: descent.gradient(again=True),
        loss=undifferentiated,
        function=descent.function,
        **parts,
    )
    found.known = float(loss)
    return found
