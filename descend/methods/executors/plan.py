"""A job that can be run again with other gradients, without looking at every tensor anew."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from torch import Tensor

from descend.methods.executors.code import Layout
from descend.methods.executors.job import Job
from descend.methods.executors.stages import Kernel
from descend.methods.executors.threads import on_threads
from descend.methods.executors.words import Frame

_dtype = attrgetter("dtype")


class Plan:
    """One job of a rule without totals and whole-tensor functions, to be run again with other gradients.

    Args:
        job: the job, which it may keep.
    """

    def __init__(self, job: Job):
        code = self.code = job.code
        g = job.places["g"]
        self.formats, self.sizes = list(map(_dtype, g)), list(map(Tensor.numel, g))
        # A gradient must not be kept alive: whoever sets it to None wants the memory.
        self.places = {name: values for name, values in job.places.items() if name != "g"}
        self.tensors = [x for values in self.places.values() for x in values]
        self.pointers: list[int] = []
        self.gradients: list[int] = []
        layout = self.layout = Layout(self.sizes, code)
        self.numbers = array("d", [0.0] * max(len(code.machine.hosts), 1))
        self.tables: list[tuple[array, list[str]]] = []
        self.launches: list[tuple[Any, int, int, np.ndarray, Kernel | None]] = []
        base = layout.frame
        base[Frame.NUMBERS] = self.numbers.buffer_info()[0]
        if code.machine.kept:
            base[Frame.KEPT] = self._table(code.machine.kept)
        for p, phase in enumerate(code.stages.phases):
            if (scalars := code.scalars[p]) is not None:
                frame = base.copy()
                self.launches.append((scalars, 0, frame.ctypes.data, frame, None))
            for name, kernel in phase.kernels.items():
                frame = base.copy()
                frame[Frame.POINTERS] = self._table(code.machine.places[p, name])
                launch = (code.passes[p, name], layout.elements, frame.ctypes.data, frame)
                self.launches.append((*launch, kernel if kernel.sums else None))

    def _table(self, names: list[str]) -> int:
        table = array("q", bytes(8 * len(names) * len(self.sizes)))
        self.tables.append((table, names))
        return table.buffer_info()[0]

    def ready(self, g: list[Tensor], step: int, h: Mapping[str, Any]) -> bool:
        """Make ready for a step; false where these gradients, or its path, are others than the plan's.

        Args:
            g: the gradients.
            step: the count of every tensor, this step included.
            h: the hyperparameters.
        """
        code = self.code
        try:
            gradients = list(map(Tensor.data_ptr, g))
            if list(map(_dtype, g)) != self.formats or list(map(Tensor.numel, g)) != self.sizes:
                return False
            if not all(map(Tensor.is_contiguous, g)) or not code.holds(h, step):
                return False
            pointers = list(map(Tensor.data_ptr, self.tensors))
        except (TypeError, RuntimeError, NotImplementedError):  # none, sparse, without memory
            return False
        if gradients != self.gradients or pointers != self.pointers:
            if not all(map(Tensor.is_contiguous, self.tensors)) or not g[0].is_cpu:
                return False
            if any(list(map(Tensor.numel, values)) != self.sizes for values in self.places.values()):
                return False
            self.gradients, self.pointers = gradients, pointers
            n = len(self.sizes)
            columns = {name: pointers[k * n : k * n + n] for k, name in enumerate(self.places)}
            columns["g"] = gradients
            for table, names in self.tables:
                table[:] = array(
                    "q", chain.from_iterable(zip(*[columns[name] for name in names], strict=True))
                )
        if code.machine.hosts:
            self.numbers[:] = array("d", code.numbers(h, step))
        return True

    def go(self) -> None:
        """Take the step that was made ready."""
        layout = self.layout
        for function, elements, address, frame, kernel in self.launches:
            frame[0] = 0
            on_threads(function, address, elements)
            if kernel is not None:
                for _, _, number in kernel.sums:
                    layout.sums[:, number] = np.add.reduceat(layout.partial[:, number], layout.starts)
