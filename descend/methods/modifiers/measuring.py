"""Numbers of all parameters together, which must be known before any method's rule can run."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

from descend.methods.rule import Batch, Rule

if TYPE_CHECKING:
    from descend.methods.method import Method

Moving = list[tuple[dict[str, Any], tuple[list[Tensor], list[Tensor], list[Tensor]]]]
"""Parameter groups, each with its parameters that have a gradient, these as real, and the gradients."""


def measured(method: "Method", rule: Rule, moving: Moving) -> list[Batch]:
    """Run a rule that only measures, over groups with any methods and modifiers.

    A ``total`` inside of a method's own rule spans the groups that have this very rule; this one spans all.

    Args:
        method: has the executor and the hyperparameters.
        rule: leaves the parameters alone, and keeps numbers for all.
        moving: what it measures.

    Returns:
        What it ran on; each batch keeps the numbers measured.
    """
    batches = []
    for group, (_, w, g) in moving:
        if w:
            h = method._hyperparameters(group)
            kept = {name: [number.fresh(w[0], h)] for name, number in rule.kept.items()}
            batches.append(Batch(w, g, kept, [1] * len(w), h))
            if method._graphs is not None:
                method._graphs.hand_over(group, batches[-1], None)
    if batches:
        method._execute(rule, batches)
    return batches
