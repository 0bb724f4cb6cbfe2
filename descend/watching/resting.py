"""Leaving short steps alone: hooks cost some ten microseconds, of which a small network's step takes 200.

Between two looks nothing is left where steps are short but a count of the steps, and the loss of every one or
of every eighth. What announces an evaluation (``eval()``, ``no_grad()``) brings the other hooks back for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from descend.watching.optimizers import note

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

OF_HOOKS, OF_LOSSES = 0.3, 0.4
"""Hooks go where they would take more than this part of the budget; most losses where all of them would."""
HOOKED = 20e-6
"""Seconds that hooks take in a step, and what runs slower after them."""
BEGINNING = 24
"""Steps that have hooks in any case."""
EVERY = 8
"""Of so many of the shortest steps one loss is seen."""
COUNTED, WITH_LOSS = 5e-6, 15e-6
"""Seconds that a step takes longer: of which only is counted that it was, and of which the loss is seen."""
IN_VAIN = 30
"""After so many announcements that no evaluation came after, they are no longer listened to."""
ACTS = 200
"""Evaluations from which on they are many (an agent acts), and are seen as far as half the budget goes."""
_GRADLESS = (torch.no_grad, torch.inference_mode)


class Rest:
    """Leaves a watched training alone for some steps.

    Args:
        watcher: whose hooks they are.

    Attributes:
        on: whether it does.
    """

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self.on = False
        self._until = self._from = self._heard = self._passed = 0
        self._every = 1
        self._back = False
        self._enters: list[tuple[Any, Callable[..., Any]]] = []

    def wanted(self) -> bool:
        """Whether steps are so short that hooks are in their way."""
        watcher = self._watcher
        steps = watcher.seen.steps
        if steps < BEGINNING or watcher.window is not None or watcher.pending or watcher.next < steps + 3:
            return False
        return self._much(HOOKED, OF_HOOKS)

    def _much(self, seconds: float, part: float) -> bool:
        """Whether so many seconds a step would be more than a part of the budget."""
        budget = self._watcher.budget
        return budget.typical > 0 and part * budget.share * budget.typical_processor < seconds

    def begin(self) -> None:
        """Take the hooks away, until the watcher's next step is due."""
        watcher = self._watcher
        self.on, self._back = True, False
        self._until, self._from = watcher.next, watcher.seen.steps
        self._every = EVERY if self._much(WITH_LOSS, OF_LOSSES) else 1
        self._take_away()
        if self._heard < IN_VAIN:
            for kind in _GRADLESS:
                original = kind.__enter__
                self._enters.append((kind, original))
                kind.__enter__ = self._announced(original)  # type: ignore[method-assign]

    def end(self) -> None:
        """Bring the hooks back."""
        if not self.on:
            return
        self._charge()
        self.on = False
        while self._enters:
            kind, original = self._enters.pop()
            kind.__enter__ = original
        self._bring_back()

    def step(self, optimizer: Optimizer) -> bool:
        """See that a step was taken; return whether that is all there is to see of it."""
        watcher = self._watcher
        seen = watcher.seen
        index = watcher.known(optimizer)
        steps = seen.steps + 1
        if index is None:
            self.end()
            return False
        if steps >= self._until:
            self._charge()
            if watcher.budget.allows(watcher.recent):
                self.end()
                return False
            self._until = watcher.next = steps + 16 + steps // 16
        seen.steps = steps
        facts = seen.optimizers[index]
        facts.steps += 1
        facts.last = steps
        if facts.settings and optimizer.param_groups[0].get("lr") != facts.settings[-1][1][0]["lr"]:
            note(optimizer, facts, steps)
        if self._back:
            watcher.modules.rested(steps)
            self._take_away()
            self._back = False
        if self._every > 1:
            if watcher.loss_hook():
                watcher.counted += 1
                watcher.take_loss_hook()
            if steps % self._every == 0:
                watcher.bring_loss_hook()
        else:
            watcher.counted += 1
        return True

    def announced(self) -> None:
        """See that an evaluation may come."""
        if self.on and not self._back:
            watcher = self._watcher
            if len(watcher.seen.evaluations) > ACTS and not watcher.budget.allows(watcher.cost, 0.5):
                watcher.seen.unseen += self._passed != watcher.seen.steps
                self._passed = watcher.seen.steps
                return
            self._back = True
            self._heard += 1
            self._bring_back()

    def _announced(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def enter(*args: Any) -> Any:
            self.announced()
            return original(*args)

        return enter

    def found(self) -> None:
        """See that an evaluation came."""
        self._heard = 0

    def _charge(self) -> None:
        watcher = self._watcher
        steps, self._from = watcher.seen.steps - self._from, watcher.seen.steps
        losses = steps / self._every
        watcher.budget.charge(COUNTED * steps + (WITH_LOSS - COUNTED) * losses + watcher.cost)
        watcher.cost = 0.0  # of evaluations, which are seen meanwhile

    def _take_away(self) -> None:
        self._watcher.modules.unhook()
        if self._every > 1:
            self._watcher.take_loss_hook()

    def _bring_back(self) -> None:
        self._watcher.modules.rehook()
        self._watcher.bring_loss_hook()
