"""What the code of a rule numbers, on any device: host scalars, scalars of tensors, scalars for all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self

import torch

from descend.methods.executors.paths import on_path
from descend.methods.executors.stages import ALL, TENSOR, Stages, level_of_input
from descend.methods.rule import Rule
from descend.methods.trace import Host, trace
from descend.parameters.formats import BESIDE, Format, beside

Formats = tuple[torch.dtype | Format, ...]
"""The dtypes of ``w``, ``g`` and everything that is kept, or their number formats."""


class Numbered:
    """The scalars of one rule on one path, for one choice of number formats.

    Args:
        stages: the rule's phases.
        formats: the dtype of each place, inputs and kept, or its number format.

    Attributes:
        kind: the dtype in which is computed.
        hosts: the host scalars, by their Python text, in the order of a row of numbers.
        slots: scalars of a tensor → their column; ``shared``: scalars for all → theirs.
        classes: the shape classes.
        forms: places in number formats of their own; ``beside``: what those have beside → the format.
        in_blocks: whether some of them are in eight bits.
        places: by (phase, shape class), the places of a kernel, in the order of its pointers.
        kept: the numbers kept a tensor, in the order of their addresses.
        inputs: the nodes of inputs, by name.
    """

    def __init__(self, stages: Stages, formats: Mapping[str, Any]):
        self.stages, self.formats = stages, formats
        self.kind = torch.float64 if torch.float64 in formats.values() else torch.float32
        self.hosts: dict[str, int] = {}
        self.slots: dict[int, int] = {}
        self.shared: dict[int, int] = {}
        self.classes = list(
            dict.fromkeys(["w", *stages.sum_class, *(c for p in stages.phases for c in p.kernels)])
        )
        self.kept = [n for n in stages.graph.kept if level_of_input(stages.graph, n) == TENSOR]
        self.inputs = {v.name: v for v in stages.nodes if v.op == "input"}
        self.forms = {name: form for name, form in formats.items() if isinstance(form, Format)}
        self.beside = {beside(name): form for name, form in self.forms.items() if form in BESIDE}
        self.in_blocks = any(form.coded for form in self.forms.values())
        self.places: dict[tuple[int, str], list[str]] = {}
        for p, phase in enumerate(stages.phases):
            for name, kernel in phase.kernels.items():
                own = kernel.places()
                self.places[p, name] = own + [x for x in map(beside, own) if x in self.beside]
        for v in stages.nodes:
            level = stages.level[id(v)]
            if level == TENSOR:
                self.slots[id(v)] = len(self.slots)
            elif level == ALL:
                self.shared[id(v)] = len(self.shared)

    def is_exponents(self, place: str) -> bool:
        """Whether a place has one byte for each block of another."""
        return place in self.beside and self.beside[place].coded

    def host(self, host: Host) -> int:
        """Return the column of a host scalar."""
        return self.hosts.setdefault(host.text, len(self.hosts))


class Traced:
    """A rule on one path, cut into stages; what an engine's own code is made from.

    Args:
        rule: the equations.
        h: the hyperparameters; they and ``step`` decide which branches are taken.
        step: the parameters' own count.
        form: the parameters' form.
        formats: the dtypes of ``w``, ``g`` and everything that is kept, or their number formats.

    Attributes:
        formats: the same, by place.
        graph: what it computes.
        stages: the passes over memory.
        functions: the functions of whole tensors.
        holds: whether hyperparameters and a step take this path.
        numbers: the host scalars, from hyperparameters and step.
        arguments: the numbers for each function of whole tensors.
        temporaries: whether it needs memory beside parameters and state: few tensors are taken at once.
        repeatable: whether a step is nothing but launches over elements, as a plan repeats them.
        for_all: the numbers kept for all.
        by_step: whether numbers for all depend on the step count, so that a job is of one count.
    """

    def __init__(
        self,
        rule: Rule,
        h: Mapping[str, Any],
        step: int,
        form: str | None,
        formats: Formats,
    ):
        graph = self.graph = trace(rule, h, step, form)
        self.formats = dict(zip(["w", "g", *graph.kept], formats, strict=True))
        # What is rounded as it is stored is not what was computed.
        stages = self.stages = Stages(graph, [n for n, f in self.formats.items() if isinstance(f, Format)])
        self.functions = graph.functions
        calls = self.calls = [call for phase in stages.phases for call in phase.calls]
        self.call_number = {id(call): k for k, call in enumerate(calls)}
        self.temporaries = bool(calls) and not graph.totals
        level = stages.level
        self.by_step = any(
            level[id(v)] == ALL and v.host is not None and "step" in v.host.text for v in stages.nodes
        )
        self.repeatable = not calls and all(
            phase.kernels.keys() <= {"w"} and (phase.kernels or not phase.totals) for phase in stages.phases
        )
        self.for_all = [n for n in graph.kept if level_of_input(graph, n) == ALL]

    @classmethod
    def of(cls, rule: Rule, h: Mapping[str, Any], step: int, form: str | None, formats: Formats) -> Self:
        """Return the code for these arguments, compiled once."""
        known = _codes.setdefault((cls, rule, form, formats), [])
        return on_path(known, h, step, lambda: cls(rule, h, step, form, formats))

    def _for_hosts(self, hosts: Mapping[str, int]) -> None:
        """Make the functions of hyperparameters and step, once it is known which numbers are wanted."""
        arguments = "".join(f"{call.value.host.text}, " for call in self.calls if call.value.host is not None)
        source = (
            f"def holds(h, step):\n    return {self.graph.path.condition()}\n"
            f"def numbers(h, step):\n    return ({''.join(f'{text}, ' for text in hosts)})\n"
            f"def arguments(h, step):\n    return ({arguments})\n"
        )
        scope: dict[str, Any] = {"math": math}
        exec(compile(source, "<descend rule>", "exec"), scope)
        self.holds, self.numbers, self.arguments = scope["holds"], scope["numbers"], scope["arguments"]


_codes: dict[Any, list[Any]] = {}
