"""Whether gradients that a step has used are cleared before the next backward adds to them."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watching.optimizers import few
from descend.watching.samples import numbers


class Clearing:
    """Some gradients that were used, and which of them a backward pass found cleared.

    What counts is what the next step consumes, not what lies in ``p.grad`` meanwhile: a generator's backward
    leaves gradients in a discriminator that its own ``zero_grad`` clears before they are used.
    """

    def __init__(self) -> None:
        self._marks: dict[int, tuple[Tensor, int]] = {}
        self._fresh: set[int] = set()
        self._looked = False

    def __bool__(self) -> bool:
        return bool(self._marks)

    def clear(self) -> None:
        """Forget what was used."""
        self._marks.clear()
        self._fresh.clear()
        self._looked = False

    def used(self, optimizer: Optimizer, count: int) -> None:
        """Remember some of the gradients that an optimizer's step has used."""
        for p in few(optimizer, count):
            if p.grad is not None and p.grad.layout == torch.strided and numbers(p.grad, 512).any():
                self._marks[id(p)] = p, id(p.grad)

    def backward(self) -> None:
        """See what is cleared when a backward pass begins."""
        self._looked = True
        for p, mark in self._marks.values():
            if p.grad is None or id(p.grad) != mark or not numbers(p.grad, 512).any():
                self._fresh.add(id(p))

    def stale(self, ids: Collection[int] | None = None) -> float | None:
        """Return the share of gradients, of some parameters, that never were; None where that was not seen.

        Without a backward pass that was looked at (hooks come and go) nothing is known of them.
        """
        marked = [p for p, _ in self._marks.values() if ids is None or id(p) in ids]
        if not marked or not self._looked:
            return None
        return sum(id(p) not in self._fresh and p.grad is not None for p in marked) / len(marked)
