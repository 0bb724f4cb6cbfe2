"""A job that can be run again with other gradients, without looking at every tensor anew."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from descend.methods.executors.addresses import Addresses
from descend.methods.executors.cpu.code import Layout, add_up, table
from descend.methods.executors.cpu.job import Job, share
from descend.methods.executors.cpu.threads import on_threads
from descend.methods.executors.cpu.words import Frame
from descend.methods.executors.stages import Phase
from descend.parameters.noise import base_word

MANY = 256
"""Of fewer tensors, Python tells the addresses as fast."""


class Plan:
    """One job of a rule without whole-tensor functions, to be run again with other gradients.

    Its totals are over its own tensors: it must be the only job of its method.

    Args:
        job: the job, which it may keep.

    Attributes:
        looks: whether it finds the gradients by itself.
    """

    def __init__(self, job: Job):
        code = self.code = job.code
        machine = code.machine
        self.for_all = {n: job.own[n][0] for n in code.for_all}
        places = {name: values for name, values in job.places.items() if name not in code.for_all}
        other_sizes = [n for n in places if n in machine.kept or machine.is_exponents(n)]
        self.addresses = Addresses(places, other_sizes, MANY)
        self.looks, self.sizes = self.addresses.looks, self.addresses.sizes
        self.columns: dict[str, Sequence[int]] = {}
        layout = self.layout = Layout(self.sizes, code, job.lengths())
        self.numbers = array("d", [0.0] * max(len(code.machine.hosts), 1))
        self.tables: list[tuple[array, list[str]]] = []
        self.launches: list[tuple[Any, int, int, np.ndarray, Phase | None]] = []
        base = layout.frame
        base[Frame.NUMBERS] = self.numbers.buffer_info()[0]
        if code.machine.kept:
            base[Frame.KEPT] = self._table(code.machine.kept)
        self.seed = None if job.stored is None else job.stored.seed
        self.noise = array("q", [0])
        if (who := job.who()) is not None:
            self.who = who
            base[Frame.NOISE], base[Frame.WHO] = self.noise.buffer_info()[0], who.buffer_info()[0]
        for p, phase in enumerate(code.stages.phases):
            if (scalars := code.scalars[p]) is not None:
                frame = base.copy()
                self.launches.append((scalars, 0, frame.ctypes.data, frame, None))
            for name, kernel in phase.kernels.items():
                frame = base.copy()
                frame[Frame.POINTERS] = self._table(code.machine.places[p, name])
                launch = (code.passes[p, name], layout.elements, frame.ctypes.data, frame)
                self.launches.append((*launch, phase if kernel.sums or phase.totals else None))

    def _table(self, names: list[str]) -> int:
        addresses = array("q", bytes(8 * len(names) * len(self.sizes)))
        self.tables.append((addresses, names))
        return addresses.buffer_info()[0]

    def ready(self, g: list[Tensor] | None, step: int, h: Mapping[str, Any]) -> bool:
        """Make ready for a step; false where these gradients, or its path, are others than the plan's.

        Args:
            g: the gradients; not needed where it looks for them itself.
            step: the count of every tensor, this step included.
            h: the hyperparameters.
        """
        code = self.code
        if not code.holds(h, step):
            return False
        moved = self.addresses.look(g)
        if moved is None:
            return False
        if moved:
            self.columns |= self.addresses.tell()
            for addresses, names in self.tables:
                addresses[:] = table(self.columns[name] for name in names)
        if self.seed is not None:
            self.noise[0] = base_word(self.seed, step)
        if code.machine.hosts:
            self.numbers[:] = array("d", code.numbers(h, step))
        return True

    def go(self) -> None:
        """Take the step that was made ready."""
        layout = self.layout
        for name, column in self.code.before:
            layout.shared[column] = float(self.for_all[name])
        for function, elements, address, frame, phase in self.launches:
            frame[0] = 0
            on_threads(function, address, elements)
            if phase is not None:
                add_up(layout, phase.kernels["w"], layout.partial, layout.starts)
                for total in phase.totals:  # these tensors are all there are
                    layout.shared[self.code.machine.shared[id(total)]] = share(self.code, layout, total)
        for name, column in self.code.after:
            self.for_all[name].fill_(float(layout.shared[column]))
