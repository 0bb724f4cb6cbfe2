"""A rule compiled for one path through its branches, and what a launch of it is laid out by."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from descend.methods.executors.cpu import compiled
from descend.methods.executors.cpu.machine import Machine
from descend.methods.executors.cpu.words import Frame
from descend.methods.executors.numbered import Formats, Traced
from descend.methods.executors.stages import Kernel
from descend.methods.rule import Rule
from descend.parameters.formats import BLOCK

PIECE = 1 << 15
"""Elements of one segment: its share of four float32 arrays stays in a core's cache."""


class Code(Traced):
    """A rule compiled for one path and one choice of number formats.

    Attributes:
        machine: its text, and where everything is.
        before, after: numbers for all that are read, and written: (name, column among the shared).
    """

    def __init__(self, rule: Rule, h: Mapping[str, Any], step: int, form: str | None, formats: Formats):
        super().__init__(rule, h, step, form, formats)
        graph, stages = self.graph, self.stages
        self.machine = machine = Machine(stages, self.formats)
        self._for_hosts(machine.hosts)
        find = compiled.load(machine.text)
        self.scalars = [
            find(f"scalars{p}") if phase.scalars or (p == 0 and machine.kept) else None
            for p, phase in enumerate(stages.phases)
        ]
        self.passes = {key: find(f"pass{key[0]}_{key[1]}") for key in machine.places}
        for_all, inputs, outputs, shared = self.for_all, machine.inputs, graph.outputs, machine.shared
        self.before = [(n, shared[id(inputs[n])]) for n in for_all if n in inputs]
        self.after = [(n, shared[id(outputs[n])]) for n in for_all if outputs[n] is not inputs.get(n)]
        self.layouts: dict[Any, list[Layout]] = {}


class Layout:
    """The parts of a frame that follow from how many elements the tensors have.

    Args:
        sizes: how many that are.
        code: what they are laid out for.
        lengths: of the tensors' rows, where the code goes by blocks.
    """

    def __init__(self, sizes: Sequence[int], code: Code, lengths: Sequence[int] = ()):
        machine = code.machine
        self.elements = sum(sizes)
        self.pieces, self.starts = cut(sizes, machine, lengths)
        n = len(sizes)
        self.slots = np.zeros((n, max(len(machine.slots), 1)))
        self.shared = np.zeros(max(len(machine.shared), 1))
        self.sums = np.zeros((n, max(len(code.stages.sums), 1)))
        self.counts = np.zeros((n, len(machine.classes)))
        self.counts[:, 0] = sizes
        self.rows = np.zeros(n, dtype=np.int64)
        self.partial = np.zeros((len(self.pieces), max(len(code.stages.sums), 1)))
        frame = self.frame = np.zeros(len(Frame), dtype=np.int64)
        frame[Frame.SEGMENTS], frame[Frame.TENSORS] = len(self.pieces), n
        for word, values in (
            (Frame.PIECES, self.pieces),
            (Frame.ROWS, self.rows),
            (Frame.SLOTS, self.slots),
            (Frame.SHARED, self.shared),
            (Frame.PARTIAL, self.partial),
            (Frame.SUMS, self.sums),
            (Frame.COUNTS, self.counts),
        ):
            frame[word] = values.ctypes.data
        self.address = frame.ctypes.data


def add_up(layout: Layout, kernel: Kernel, partial: np.ndarray, starts: np.ndarray) -> None:
    """Add up a kernel's sums of segments to those of tensors."""
    for _, _, number in kernel.sums:
        layout.sums[:, number] = np.add.reduceat(partial[:, number], starts)


def table(columns: Iterable[Sequence[int]]) -> array:
    """Return a table of addresses, a row a tensor, from its columns."""
    return array("q", chain.from_iterable(zip(*columns, strict=True)))


def cut(sizes: Sequence[int], machine: Machine, lengths: Sequence[int] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Cut tensors into segments, and return them and each tensor's first one.

    An empty tensor has an empty segment, so that its sums are zero.

    Args:
        sizes: of the tensors.
        machine: whose segments they are.
        lengths: of their rows, where blocks do not go on from one row to the next.
    """
    pieces, starts = [], []
    for t, size in enumerate(sizes):
        starts.append(len(pieces))
        if lengths and lengths[t] % BLOCK and size:
            pieces += _rows(t, size, lengths[t])
        else:
            found = [(t, first, min(PIECE, size - first)) for first in range(0, size, PIECE)] or [(t, 0, 0)]
            pieces += found if machine.width == 3 else [(*x, 1, x[1] // BLOCK) for x in found]
    return np.array(pieces, dtype=np.int64).reshape(-1, machine.width), np.array(starts, dtype=np.int64)


def _rows(t: int, size: int, length: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Cut a tensor into segments of some whole rows, or of a part of one."""
    rows, blocks = size // length, -(-length // BLOCK)
    together = max(PIECE // length, 1)
    for r in range(0, rows, together):
        if together > 1:
            yield t, r * length, length, min(together, rows - r), r * blocks
            continue
        for first in range(0, length, PIECE):
            yield t, r * length + first, min(PIECE, length - first), 1, r * blocks + first // BLOCK
