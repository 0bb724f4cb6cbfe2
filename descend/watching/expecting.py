"""Modules that are only called without gradients, and so never in a step: averages of weights, teachers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

if TYPE_CHECKING:
    from descend.watching.watcher import Watcher

OFTEN = 64
"""After so many times that gradients were switched off, a new module is looked for in one of so many."""


class Expecting:
    """Looks for a module that nobody knows yet whenever gradients are switched off, until one is called.

    Args:
        watcher: that is to know it.
    """

    def __init__(self, watcher: Watcher):
        self._watcher = watcher
        self._times = 0
        self._hook: Any = None

    def begin(self) -> None:
        """Gradients are switched off: a module may be called."""
        self._times += 1
        if self._watcher.compiled:
            return  # a hook on every module has what is compiled compiled anew
        if self._hook is None and (self._times <= OFTEN or not self._times % OFTEN):
            self._hook = register_module_forward_pre_hook(self._watcher.guarded(self._called))

    def end(self) -> None:
        """Look for none."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _called(self, module: nn.Module, args: Any) -> None:
        evaluated = not torch.is_grad_enabled()
        if evaluated and next(module.parameters(), None) is None:
            return  # what flattens or compares
        self.end()
        watcher = self._watcher
        if evaluated and not watcher.looking.on and id(module) not in watcher.looking.names:
            watcher.modules.discovered(module, args, trained=False)
