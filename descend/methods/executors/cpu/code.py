"""A rule compiled for one path through its branches, and what a launch of it is laid out by."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch

from descend.methods.executors.cpu import compiled
from descend.methods.executors.cpu.machine import Machine
from descend.methods.executors.cpu.words import Frame
from descend.methods.executors.stages import ALL, Kernel, Stages, level_of_input
from descend.methods.rule import Rule
from descend.methods.trace import trace

PIECE = 1 << 15
"""Elements of one segment: its share of four float32 arrays stays in a core's cache."""


class Code:
    """A rule compiled for one path and one choice of number formats.

    Attributes:
        machine: its text, and where everything is.
        holds: whether hyperparameters and a step take this path.
        numbers: the host scalars, from hyperparameters and step.
        arguments: the numbers for each function of whole tensors.
        temporaries: whether it needs memory beside parameters and state: few tensors are taken at once.
        repeatable: whether a step is nothing but launches over elements, as :class:`.plan.Plan` repeats them.
        for_all: the numbers kept for all.
        before, after: those of them that are read, and written: (name, column among the shared).
        by_step: whether numbers for all depend on the step count, so that a job is of one count.
    """

    def __init__(self, rule: Rule, h: Mapping[str, Any], step: int, form: str | None, formats: Formats):
        graph = trace(rule, h, step, form)
        stages = Stages(graph)
        self.machine = machine = Machine(stages, dict(zip(["w", "g", *graph.kept], formats, strict=True)))
        self.functions, self.graph, self.stages = graph.functions, graph, stages
        calls = [call for phase in stages.phases for call in phase.calls]
        arguments = "".join(f"{call.value.host.text}, " for call in calls if call.value.host is not None)
        source = (
            f"def holds(h, step):\n    return {graph.path.condition()}\n"
            f"def numbers(h, step):\n    return ({''.join(f'{text}, ' for text in machine.hosts)})\n"
            f"def arguments(h, step):\n    return ({arguments})\n"
        )
        scope: dict[str, Any] = {"math": math}
        exec(compile(source, "<descend rule>", "exec"), scope)
        self.holds, self.numbers, self.arguments = scope["holds"], scope["numbers"], scope["arguments"]
        find = compiled.load(machine.text)
        self.scalars = [
            find(f"scalars{p}") if phase.scalars or (p == 0 and machine.kept) else None
            for p, phase in enumerate(stages.phases)
        ]
        self.passes = {key: find(f"pass{key[0]}_{key[1]}") for key in machine.places}
        self.call_number = {id(call): k for k, call in enumerate(calls)}
        self.temporaries = bool(calls) and not graph.totals
        level = stages.level
        self.by_step = any(
            level[id(v)] == ALL and v.host is not None and "step" in v.host.text for v in stages.nodes
        )
        self.repeatable = not calls and all(
            phase.kernels.keys() <= {"w"} and (phase.kernels or not phase.totals) for phase in stages.phases
        )
        for_all = self.for_all = [n for n in graph.kept if level_of_input(graph, n) == ALL]
        inputs, outputs, shared = machine.inputs, graph.outputs, machine.shared
        self.before = [(n, shared[id(inputs[n])]) for n in for_all if n in inputs]
        self.after = [(n, shared[id(outputs[n])]) for n in for_all if outputs[n] is not inputs.get(n)]
        self.layouts: dict[tuple[int, ...], list[Layout]] = {}


Formats = tuple[torch.dtype, ...]
_codes: dict[tuple[Rule, str | None, Formats], list[Code]] = {}


def code(rule: Rule, h: Mapping[str, Any], step: int, form: str | None, formats: Formats) -> Code:
    """Return the code of a rule under these hyperparameters in this step, compiled once.

    Args:
        rule: the equations.
        h: the hyperparameters; they and ``step`` decide which branches are taken.
        step: the parameters' own count.
        form: the parameters' form.
        formats: the dtypes of ``w``, ``g`` and everything that is kept.
    """
    paths = _codes.setdefault((rule, form, formats), [])
    for found in paths:
        if found.holds(h, step):
            return found
    paths.append(Code(rule, h, step, form, formats))
    return paths[-1]


class Layout:
    """The parts of a frame that follow from how many elements the tensors have."""

    def __init__(self, sizes: Sequence[int], code: Code):
        machine = code.machine
        self.elements = sum(sizes)
        self.pieces, self.starts = pieces_of(sizes)
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


def pieces_of(sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Cut tensors into segments; an empty one has an empty segment, so that its sums are zero."""
    pieces, starts = [], []
    for t, size in enumerate(sizes):
        starts.append(len(pieces))
        pieces += [(t, first, min(PIECE, size - first)) for first in range(0, size, PIECE)] or [(t, 0, 0)]
    return np.array(pieces, dtype=np.int64).reshape(-1, 3), np.array(starts, dtype=np.int64)
