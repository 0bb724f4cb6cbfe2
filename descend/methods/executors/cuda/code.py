"""A rule compiled for one path through its branches, in the forms that steps ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from descend.methods.executors.cuda import compiled
from descend.methods.executors.cuda.compiled import Kernel
from descend.methods.executors.cuda.kernels import Kernels, Launches
from descend.methods.executors.cuda.tables import Layout
from descend.methods.executors.cuda.writing import Function, Variant
from descend.methods.executors.numbered import Formats, Traced
from descend.methods.rule import Rule


class Code(Traced):
    """A rule compiled for one path and one choice of number formats.

    Attributes:
        machine: its kernels' texts, and where everything is.
        layouts: tables that no job is using.
    """

    def __init__(self, rule: Rule, h: Mapping[str, Any], step: int, form: str | None, formats: Formats):
        super().__init__(rule, h, step, form, formats)
        self.machine = Kernels(self.stages, self.formats)
        self._for_hosts(self.machine.hosts)
        self.layouts: dict[Any, list[Layout]] = {}
        self._texts: dict[Variant, list[Launches]] = {}
        self._kernels: dict[tuple[torch.device, str], Kernel] = {}

    def launches(self, variant: Variant) -> list[Launches]:
        """Return the texts of each phase's kernels, in the form asked for."""
        if variant not in self._texts:
            self._texts[variant] = self.machine.launches(variant)
        return self._texts[variant]

    def load(self, variant: Variant, device: torch.device) -> list[Launches]:
        """Have the kernels of each phase ready on a device, in the form asked for."""
        found = self.launches(variant)
        wanted = {f.name: f for x in found for f in x.functions() if (device, f.text) not in self._kernels}
        if wanted:
            kernels = compiled.load(list(wanted.values()), device)
            self._kernels.update(((device, f.text), kernels[f.name]) for f in wanted.values())
        return found

    def kernel(self, function: Function, device: torch.device) -> Kernel:
        """Return the kernel of a text that was loaded."""
        return self._kernels[device, function.text]
