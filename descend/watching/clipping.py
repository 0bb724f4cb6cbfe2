"""What becomes of gradients between backward and step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watching.optimizers import few
from descend.watching.samples import numbers

CLIPS = 64
"""How many times at first it is noted how gradients are clipped; later only where a step is looked at."""


class Clipping:
    """Gradients as backward leaves them, and how their norm is clipped.

    Attributes:
        left: some gradients after a backward, by the ids of their parameters.
        seen: (step, norm that was allowed, norm that there was).
    """

    def __init__(self) -> None:
        self.left: dict[int, np.ndarray] = {}
        self.seen: list[tuple[int, float, Tensor]] = []

    @torch.no_grad()
    def see(self, optimizers: Iterable[Optimizer]) -> None:
        """See gradients as backward leaves them, before anybody clips them."""
        with torch._C.DisableTorchFunction():
            for p in [q for optimizer in optimizers for q in few(optimizer, 6)]:
                if p.grad is not None and p.grad.layout == torch.strided:
                    self.left[id(p)] = numbers(p.grad).copy()

    def clipped(self, step: int, looked_at: bool, out: Any, args: Any, kwargs: Any) -> None:
        """See gradients clipped by their norm, by ``clip_grad_norm_(parameters, *args, **kwargs)``."""
        if len(self.seen) < CLIPS or looked_at:
            allowed = args[0] if args else kwargs.get("max_norm")
            if isinstance(allowed, int | float) and isinstance(out, Tensor):
                self.seen.append((step, float(allowed), out.detach()))
