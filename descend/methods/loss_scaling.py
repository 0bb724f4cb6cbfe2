"""Gradients of a scaled loss: ``torch.amp.GradScaler`` without a wait for the host.

A scaler asks whether an optimizer can divide by the scale, and stay where it is if a gradient is infinite,
by itself. On a device whose kernels can, a method says yes: the scaler then hands it two numbers that lie on
the device (``grad_scale``, ``found_inf``) and nobody waits for either. Whether the step was taken is only
known later: steps are counted on the host, and what was counted in vain is taken back at the next occasion,
when the device has long told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.methods.executors.engines import engine
from descend.methods.rule import Batch

if TYPE_CHECKING:
    from descend.methods.method import Method


def possible(method: Method) -> bool:
    """Whether a method divides by the scale itself: its kernels do, and nothing looks at gradients before."""
    devices = {p.device for group in method.param_groups for p in group["params"]}
    engines = [engine(device) for device in devices]
    return method.executor == "fused" and not method._active() and all(e and e.scaled for e in engines)


def hand_over(method: Method, batches: list[Batch]) -> None:
    """Give batches the numbers that a scaler has handed to their method, if it has."""
    found = getattr(method, "found_inf", None)
    if found is None:
        return
    scale = getattr(method, "grad_scale", None)
    for batch in batches:
        batch.found_inf = found
        batch.scale = torch.ones_like(found) if scale is None else scale


class Doubtful:
    """A step of which nobody on the host knows yet whether it was taken.

    Args:
        found_inf: not zero where it was not; a number on its device.
        states: of the parameters whose step was counted.
    """

    def __init__(self, found_inf: Tensor, states: list[dict[str, Any]]):
        self.states = states
        self.event = None
        if found_inf.is_cuda:
            self.found = torch.empty(found_inf.shape, dtype=found_inf.dtype, pin_memory=True)
            self.found.copy_(found_inf, non_blocking=True)
            self.event = torch.cuda.Event()
            self.event.record(torch.cuda.current_stream(found_inf.device))
        else:
            self.found = found_inf.clone()

    def settle(self) -> None:
        """Take back what was counted in vain."""
        if self.event is not None:
            self.event.synchronize()  # a step ago: it does not wait
        if float(self.found):
            for own in self.states:
                own["step"] -= 1
