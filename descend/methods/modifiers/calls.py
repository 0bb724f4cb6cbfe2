"""What modifiers do in a step before any rule runs: with the gradients, and with all of them together."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from descend.errors import UsageError
from descend.methods.modifiers.accumulation import gathered
from descend.methods.modifiers.clipping import measure_gradient
from descend.methods.modifiers.measuring import Moving
from descend.methods.modifiers.sharpness import climbed

if TYPE_CHECKING:
    from descend.methods.method import Method


def taken(
    method: "Method", active: tuple[str, ...], closure: Callable[[], Any] | None, moving: Moving
) -> Moving:
    """Return the gradients that a step is to be taken with.

    Args:
        method: has the groups.
        active: the modifiers that are on in any group.
        closure: evaluates loss and gradients anew.
        moving: the gradients as they were found.

    Raises:
        UsageError: where a modifier needs a closure and there is none.
    """

    def having(switch: str) -> Moving:
        return [(group, found) for group, found in moving if group.get(switch)]

    if "sam" in active:
        if closure is None:
            raise UsageError(
                "a closure with sam, which takes the gradient twice",
                "none",
                "call opt.step(closure), where closure() computes the gradients anew and returns the loss",
            )
        climbed(method, closure, having("sam"))
        moving = method._found()
    if "accumulate" in active:
        moving = [
            (group, gathered(method, group, found) if group.get("accumulate") else found)
            for group, found in moving
        ]
    if "clip_norm" in active:
        measure_gradient(method, having("clip_norm"))
    return moving
