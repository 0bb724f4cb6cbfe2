"""SAM: to descend by the gradient from the worst point nearby, and so away from sharp minima."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from descend.methods.equations import absolute, norm, sqrt, total
from descend.methods.modifiers.measuring import Moving, measured
from descend.methods.modifiers.part import Modifier, flag, positive
from descend.methods.rule import one_for_all, rule

if TYPE_CHECKING:
    from descend.methods.method import Method


def _scaled(w: Any, g: Any, h: Any) -> Any:
    return absolute(w) * g if h.sam_adaptive else g


@rule(climb_norm=one_for_all)
def _climb_norm(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Measure ‖g‖ over all parameters of all groups (adaptive: ‖ |w|·g ‖)."""
    s.climb_norm = sqrt(total(norm(_scaled(w, g, h)) ** 2))
    return w


@rule(climb_norm=one_for_all)
def _climb(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Climb: w ← w + ρ g / (‖g‖ + 1e-12); adaptive: w ← w + ρ w² g / (‖ |w|·g ‖ + 1e-12)."""
    direction = w * w * g if h.sam_adaptive else g
    rho = -h.sam if h.maximize else h.sam
    return w + rho * direction / (s.climb_norm + 1e-12)


def climbed(method: "Method", closure: Callable[[], Any], moving: Moving) -> None:
    """Replace the gradients by those of the worst point nearby; the parameters stay where they are.

    Args:
        method: has the executor and the hyperparameters.
        closure: evaluates loss and gradients anew.
        moving: the groups that climb, with the gradients of where they are.
    """
    batches = measured(method, _climb_norm, moving)
    if not batches:
        return
    w = [x for batch in batches for x in batch.w]
    origins = [x.clone(memory_format=torch.preserve_format) for x in w]
    method._execute(_climb, batches)
    try:
        with torch.enable_grad():
            closure()
    finally:  # back bit for bit, which a step down again would not be
        for x, origin in zip(w, origins, strict=True):
            x.copy_(origin)


SAM = Modifier(
    place="calls",
    switch="sam",
    summary="Descend by the gradient from the worst point within a radius (sharpness-aware).",
    equation="g ← ∇L(w + ρ·g/‖g‖)",
    source="Foret et al. 2021, arXiv:2010.01412; adaptive: Kwon et al. 2021, arXiv:2102.11600",
    example=0.05,
    others={"sam_adaptive": False},
    ranges={"sam": positive, "sam_adaptive": flag},
)
