"""Whether gradients that a step has used are cleared before the same optimizer steps again."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watching.optimizers import few
from descend.watching.samples import numbers

LOOKS = 16
"""Backward passes after which no more are looked at: an optimizer may hardly ever step."""


class _Used:
    """Some gradients that one step has used, and which of them a backward pass found cleared."""

    def __init__(self, parameters: list[Tensor]) -> None:
        used = [(p, p.grad) for p in parameters if p.grad is not None and p.grad.layout == torch.strided]
        self.marks = [(p, id(grad)) for p, grad in used if numbers(grad, 512).any()]
        self.fresh: set[int] = set()
        self.looks = 0

    def backward(self) -> None:
        """See what is cleared when a backward pass begins."""
        self.looks += 1
        if self.looks > LOOKS or len(self.fresh) == len(self.marks):
            return
        for p, mark in self.marks:
            if p.grad is None or id(p.grad) != mark or not numbers(p.grad, 512).any():
                self.fresh.add(id(p))


class Clearing:
    """What optimizers have used, each for itself, and whether it was cleared.

    What counts is what the same optimizer's next step consumes, not what lies in ``p.grad`` meanwhile: a
    generator's backward leaves gradients in a discriminator that its own ``zero_grad`` clears before they are
    used; and of two optimizers that step one after the other, the second one's gradients come of a backward
    before the first one's step.
    """

    def __init__(self) -> None:
        self._used: dict[int, _Used] = {}
        self._counts: dict[tuple[int, int], tuple[int, int]] = {}

    def clear(self) -> None:
        """Forget what was used."""
        self._used.clear()

    def used(self, index: int, optimizer: Optimizer, count: int, turn: int = 0) -> None:
        """Remember some of the gradients that an optimizer's step has used, in each turn others."""
        used = _Used(few(optimizer, count, turn))
        if used.marks:
            self._used[index] = used

    def backward(self) -> None:
        """See what is cleared when a backward pass begins."""
        for used in self._used.values():
            used.backward()

    def stale(self, index: int) -> float | None:
        """Return the share of an optimizer's gradients that were never cleared, and forget them.

        Without a backward pass that was looked at (hooks come and go) nothing is known of them: None.
        """
        used = self._used.pop(index, None)
        if used is None or not used.looks:
            return None
        found = [(id(p), id(p) not in used.fresh and p.grad is not None) for p, _ in used.marks]
        for p, was in found:
            looked, stale = self._counts.get((index, p), (0, 0))
            self._counts[index, p] = looked + 1, stale + was
        return sum(was for _, was in found) / len(found)

    def least(self, index: int) -> tuple[int, int]:
        """Return how often that of an optimizer's gradients was looked at, and not cleared, that is least."""
        own = [counts for (optimizer, _), counts in self._counts.items() if optimizer == index]
        return max(own, key=lambda counts: (counts[1] / (counts[0] + 1), counts), default=(0, 0))
