"""Modes: what is set, and in which mode the steps after that are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

STEPS = 8
"""In so many steps after a module was set to evaluation it is asked for its mode."""
MOST = 800
"""Steps in which modules are asked at most."""


class Modes:
    """Sees modes for a watcher.

    Args:
        watcher: it.

    Attributes:
        asks: in how many steps more modules are asked.
    """

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self.asks = self._asked = 0
        self._trains: set[tuple[int, int]] = set()

    def set(self, original: Callable[..., Any], module: nn.Module, mode: bool = True) -> Any:
        """See that the mode of a module is set."""
        watcher = self._watcher
        known = watcher.modules.known(module)
        if known is not None:
            known.modes_set += 1
            if not mode:
                if known.mode_matters and self._asked < MOST:
                    self.asks = STEPS
                watcher.rest.announced()
            elif watcher.looking.on and watcher.window is None:
                watcher.modules.leave_evaluation()  # which is over: what comes next may be many operations
        return original(module, mode)

    def ask(self, optimizer: int) -> None:
        """See in which mode what an optimizer trains is when it steps."""
        self.asks -= 1
        self._asked += 1
        own = self._watcher.seen.optimizers[optimizer]
        for index, module in self._watcher.modules.alive():
            key, facts = (index, optimizer), self._watcher.seen.roots[index]
            if key in self._trains or (facts.calls and not set(facts.parameters).isdisjoint(own.parameters)):
                self._trains.add(key)
                facts.asked += 1
                facts.asked_in_eval += not module.training
