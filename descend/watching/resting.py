"""Leaving short steps alone: hooks cost some ten microseconds, of which a small network's step takes 200.

Between two looks nothing is left where steps are short but a count of the steps, and the loss of every one or
of every eighth. What announces an evaluation (``eval()``, ``no_grad()``) brings the other hooks back for it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from descend.watching.losses import EVERY
from descend.watching.optimizers import note

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

OF_HOOKS, OF_LOSSES = 0.1, 0.4
"""Hooks go where they would take more than this part of the budget; most losses where all of them would."""
HOOKED = 35e-6
"""Seconds that hooks take in a step, and what runs slower after them."""
BEGINNING = 24
"""Steps that have hooks in any case."""
NOTED = 32
"""After so many steps it is noted what is set in an optimizer."""
COUNTED, WITH_LOSS = 3.5e-6, 10e-6
"""Seconds that a step takes longer: of which only is counted that it was, and of which the loss is seen."""
IN_VAIN = 30
"""After so many announcements that no evaluation came after, they are no longer listened to."""
GRADLESS = (torch.no_grad, torch.inference_mode)
"""What switches gradients off."""


@dataclass
class _Steps:
    """What is counted of an optimizer."""

    optimizer: weakref.ref[Optimizer]
    index: int
    steps: int = 0
    last: int = 0


class Rest:
    """Leaves a watched training alone for some steps.

    Args:
        watcher: whose hooks they are.

    Attributes:
        on: whether it does.
        deaf: whether no evaluation comes though gradients are switched off.
    """

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self.on = self.deaf = False
        self._until = self._from = self._stop = self._full = self._heard = self._passed = 0
        self._every = 1
        self._back = False
        self._entries: dict[int, _Steps] = {}

    def wanted(self) -> bool:
        """Whether steps are so short that hooks are in their way."""
        watcher = self._watcher
        steps = watcher.seen.steps
        if steps < BEGINNING or watcher.window is not None or watcher.pending or watcher.next < steps + 3:
            return False
        if watcher.hand.steps and not watcher.hand.sure:
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
        for optimizer, index in watcher.optimizers:
            self._entries[id(optimizer)] = _Steps(weakref.ref(optimizer), index)
        self._take_away()
        self._stop = self._full = 0
        watcher.take_pre_hook()  # which nobody is among: this is called after a step

    def end(self) -> None:
        """Bring the hooks back."""
        if not self.on:
            return
        self._note()
        self._charge()
        self._entries.clear()
        self.on = False
        self._watcher.hand.rested()
        self._watcher.bring_pre_hook()
        self._bring_back()

    def around(self, see: Callable[..., None]) -> Callable[..., None]:
        """Return the hook after steps: what sees them, or as little as can be, since cold code is slow."""
        seen, known, more = self._watcher.seen, self._entries, self._watcher.guarded(self._step)

        def stepped(optimizer: Optimizer, *given: Any) -> None:
            entry = known.get(id(optimizer))
            if entry is None or entry.optimizer() is not optimizer:
                if self.on and self._watcher.watches(optimizer):
                    self.end()
                if not self.on:
                    see(optimizer, *given)
                return
            step = seen.steps = seen.steps + 1
            entry.steps += 1
            entry.last = step
            if step >= self._stop:
                more(optimizer, step)

        return stepped

    def _step(self, optimizer: Optimizer, step: int) -> None:
        """See more of a step than that it was taken."""
        watcher = self._watcher
        if watcher.modes.asks and step < self._until:
            watcher.modes.ask(self._entries[id(optimizer)].index)
        self._stop = step + (1 if watcher.modes.asks else EVERY)
        if step < self._full:
            watcher.losses.see_one()
            return
        if step >= self._until:
            self._charge()
            if watcher.budget.allows(watcher.recent):
                index = self._entries[id(optimizer)].index
                self.end()
                watcher.go_on(optimizer, index)
                return
            self._until = watcher.next = step + 16 + step // 16
        if self._back:
            watcher.modules.rested(step)
            self._back = False
            self._take_away()
        self._note()
        self._full = min(self._until, step + NOTED)
        if self._every == 1 and not watcher.modes.asks:
            self._stop = self._full
        else:
            watcher.losses.see_one()

    def _note(self) -> None:
        """Tell the watcher of the steps that were counted."""
        watcher = self._watcher
        for entry in self._entries.values():
            if entry.steps:
                facts = watcher.seen.optimizers[entry.index]
                facts.steps += entry.steps
                facts.last = entry.last
                if self._every == 1:  # else most backward passes are not counted either
                    watcher.counted += entry.steps
                optimizer = entry.optimizer()
                if optimizer is not None and facts.settings:
                    note(optimizer, facts, entry.last)
                entry.steps = 0

    def entered(self, original: Callable[..., Any], *args: Any) -> Any:
        """See that gradients are switched off: an evaluation may come."""
        watcher = self._watcher
        if self.deaf:
            pass
        elif not self.on:
            if watcher.window is None and not watcher.looking.on:
                watcher.expecting.begin()
        elif self._heard < IN_VAIN:
            self.announced()
        return original(*args)

    def announced(self) -> None:
        """See that an evaluation may come."""
        if self.on and not self._back:
            watcher = self._watcher
            if watcher.modules.acts():
                watcher.seen.unseen += self._passed != watcher.seen.steps
                self._passed = watcher.seen.steps
                return
            self._back, self._stop, self._full = True, 0, 0
            self._heard += 1
            self._bring_back()
            watcher.expecting.begin()

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
        if self._every > 1 and self._watcher.hand.steps:
            self._watcher.losses.count()
        elif self._every > 1:
            self._watcher.losses.miss()
        else:
            self._watcher.losses.see(fully=False)

    def _bring_back(self) -> None:
        self._watcher.modules.rehook()
        self._watcher.losses.see()
