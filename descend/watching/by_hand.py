"""Steps that no optimizer of torch's takes: ``p -= lr * p.grad``, or a class of somebody's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor
from torch.optim import Optimizer

from descend.watching import graph
from descend.watching.samples import numbers, spread

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

ASKED, FEW = 2, 16
"""How many parameters are looked at to see that a step was taken, and how many of their numbers."""
SURE = 24
"""So many backward passes with a step after each, and it is taken for granted."""
TRACED = 3
"""Of how many backward passes the graph is searched for parameters."""


class ByHand:
    """Stands for what moves parameters between two backward passes, in the form of an optimizer.

    Not a subclass: the first optimizer of a process imports the compiler, which takes most of a second.
    """

    def __init__(self, parameters: list[Tensor]):
        self.param_groups: list[dict[str, Any]] = [{"params": parameters}]
        self.state: dict[Tensor, Any] = {}


class Hand:
    """Tells a watcher of steps that are taken by hand.

    Nothing is called where such a step ends, so it is known of when the next backward begins and finds other
    numbers. What is looked at closely ends with the backward before it: the next forward pass is none of it.

    Args:
        watcher: it.

    Attributes:
        optimizer: what stands for one, once steps were seen.
        given_up: whether an optimizer steps.
        sealed: whether a step that is looked at has all that there is to see, and only has to be taken.
    """

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self.optimizer: Optimizer | None = None
        self.given_up = self.sealed = False
        self._parameters: dict[int, Tensor] = {}
        self._asked: list[tuple[Tensor, int, np.ndarray]] = []
        self._before: list[tuple[Tensor, int, int, np.ndarray, np.ndarray]] = []
        self._steps = self._traced = self._in_a_row = 0

    @property
    def steps(self) -> bool:
        """Whether steps are taken by hand."""
        return self.optimizer is not None and not self.given_up

    @property
    def sure(self) -> bool:
        """Whether it is taken for granted that each backward pass has a step after it."""
        return self.steps and self._in_a_row >= SURE

    def rested(self) -> None:
        """Go on after steps that were only counted."""
        self._steps = self._watcher.seen.steps

    def give_up(self) -> None:
        """See that an optimizer steps."""
        self.sealed = False
        if not self.given_up:
            self.given_up = True
            self._asked, self._before = [], []
            self._parameters.clear()

    def begins(self) -> None:
        """A backward pass begins: was there a step since the last?"""
        watcher = self._watcher
        if self.given_up or not self._before:
            return
        if watcher.seen.steps != self._steps:
            self.give_up()
            return
        if self._in_a_row < SURE and not any(
            p._version != version or p.data_ptr() != place or (view != old).any()
            for p, version, place, view, old in self._before
        ):
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self.optimizer is None:
            self.optimizer = cast(Optimizer, ByHand(list(self._parameters.values())))
            watcher.budget.begin(processor=all(p.is_cpu for p in self._parameters.values()))
            watcher.abandon()
        watcher.after_step(self.optimizer)
        self.sealed = False

    def ends(self, loss: Tensor) -> None:
        """A backward pass ends: remember the numbers that a step would change."""
        watcher = self._watcher
        if self.given_up:
            return
        if watcher.seen.steps and self.optimizer is None:
            self.give_up()
            return
        if self._traced < TRACED:
            self._traced += 1
            for p in graph.leaves(loss):
                if p.grad is not None and p.requires_grad and not p.is_complex():
                    self._parameters[id(p)] = p
            asked = spread(list(self._parameters.values()), ASKED)
            self._asked = [(p, p.data_ptr(), numbers(p, FEW)) for p in asked]
        if self._in_a_row < SURE:
            self._before = [(p, p._version, place, view, view.copy()) for p, place, view in self._asked]
        self._steps = watcher.seen.steps
        if self.optimizer is not None:
            self.sealed = watcher.about_to_step(self.optimizer)
