"""Accumulation: one step for the mean of several gradients."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.methods.modifiers.part import Modifier, whole_number

if TYPE_CHECKING:
    from descend.methods.method import Method

Found = tuple[list[Tensor], list[Tensor], list[Tensor]]


def gathered(method: "Method", group: dict[str, Any], found: Found) -> Found:
    """Add a group's gradients to what is kept, and hand out their mean where the last of them has come.

    The sums live in ``state[p]["gathered"]``, in float32 at least, between the first gradient and the step;
    ``state[p]["gathered_calls"]`` says of how many calls of ``step``. A parameter without a gradient in some
    of the calls has a gradient of zero there, as it has where ``p.grad`` itself is accumulated; one without
    any takes no step.

    Args:
        method: keeps the sums.
        group: the parameter group.
        found: its parameters with a gradient in this call, these as real, and the gradients.

    Returns:
        The same of the step that is to be taken now: nothing, but for each n-th call.
    """
    state = method.state
    owners, _, gradients = found
    if not owners:
        return found
    calls = 1 + max(state[p].get("gathered_calls", 0) if p in state else 0 for p in group["params"])
    sums, more = [], []
    for p, g in zip(owners, gradients, strict=True):
        own = state[p]
        own["gathered_calls"] = calls
        if "gathered" in own:
            sums.append(own["gathered"])
            more.append(g)
        else:
            wide = torch.promote_types(g.dtype, torch.float32)
            own["gathered"] = g.to(wide, copy=True, memory_format=torch.preserve_format)
    if sums:
        torch._foreach_add_(sums, more)
    if calls < group["accumulate"]:
        return [], [], []
    ready = [p for p in group["params"] if "gathered" in state.get(p, ())]
    means = [state[p].pop("gathered") for p in ready]
    torch._foreach_div_(means, calls)
    for p in ready:
        del state[p]["gathered_calls"]
    return ready, [torch.view_as_real(p) if p.is_complex() else p for p in ready], means


ACCUMULATE = Modifier(
    place="calls",
    switch="accumulate",
    summary="Take a step at each n-th call alone, with the mean of the n gradients.",
    equation="g ← (g₁ + … + gₙ)/n",
    source="large batches in little memory",
    example=4,
    ranges={"accumulate": whole_number},
)
