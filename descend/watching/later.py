"""What is copied in a step and computed later: many at a time, or when training is over.

In a step everything that looking touches is cold: the processor's caches hold what training computes with.
There a mean of a thousand numbers takes ten times what it takes after another one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch

BYTES = 2 << 20
"""How much may wait to be computed with."""


class Later:
    """Computations that wait, in order.

    Attributes:
        bytes: that what they are of takes.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._waiting: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def put(self, compute: Callable[..., None], *args: Any) -> None:
        """Compute something later, of copies that nobody changes."""
        self._waiting.append((compute, args))
        for x in args:
            if isinstance(x, np.ndarray | torch.Tensor):
                self.bytes += x.nbytes

    @property
    def full(self) -> bool:
        """Whether it is time to compute."""
        return self.bytes > BYTES

    def settle(self) -> None:
        """Compute what waits."""
        waiting, self._waiting, self.bytes = self._waiting, [], 0
        with torch.no_grad(), torch._C.DisableTorchFunction(), np.errstate(all="ignore"):
            for compute, args in waiting:
                with suppress(RuntimeError, ValueError, TypeError, IndexError):  # of another form: not seen
                    compute(*args)
