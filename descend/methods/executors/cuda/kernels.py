"""From stages to Triton's text: one kernel for each pass over elements, one for the scalars of a phase.

A pass is launched once for all tensors. A *piece* is a tile of one tensor; each program takes one: it reads
which tensor that is, how long it is and where its places lie from tables in device memory. Full tiles go
without masks and in loads of 128 bits, the last one of a tensor with a mask. Sums are kept a piece apart,
in double, and added in one order, so that results repeat.

Scalars are computed in double by few programs. Those for all are cheap: every program that needs them
computes them for itself, and totals too, always in the same order; so a cut (a norm, a total) costs one or
two small launches, and nothing is ever read back by the host.

Every parameter of a kernel is a word of 64 bits: an address, a count, or a host scalar's bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from descend.methods.executors.cuda.counting import Counts, references
from descend.methods.executors.cuda.passes import Pass
from descend.methods.executors.cuda.scalars import Scalars, Shares, Sums
from descend.methods.executors.cuda.stored import BESIDE, BITS
from descend.methods.executors.cuda.writing import STORED, Function, Variant
from descend.methods.executors.numbered import Numbered
from descend.methods.executors.stages import Stages


@dataclass
class Launches:
    """What is launched in one phase: scalars, passes by shape class, then what adds up.

    Attributes:
        counts: counts the step, where that is done on the device.
        scalars: the scalars of the phase, where there are any.
        passes: by shape class.
        sums: adds up pieces, where totals need them.
        shares: this job's share of totals, where it is not alone.
    """

    counts: Function | None = None
    scalars: Function | None = None
    passes: dict[str, Function] = field(default_factory=dict)
    sums: Function | None = None
    shares: Function | None = None

    def functions(self) -> list[Function]:
        """Return all of them."""
        found = (self.counts, self.scalars, *self.passes.values(), self.sums, self.shares)
        return [f for f in found if f is not None]


class Kernels(Numbered):
    """The kernels of one rule on one path, for one choice of number formats.

    Attributes:
        rows: place → row of the table of addresses; ``g`` is the first, so that it can be sent alone.
        into: numbers kept for all → the row that says where they are written.
        places: by (phase, shape class), the places of a kernel.
        forms: places in number formats of their own.
        beside: what those have beside → the place.
        who: the row of each tensor's number among the parameters, where something is rounded by chance; the
            next ones are of where it begins in its parameter, and of the words of its step's noise.
        count: the last row, of where each tensor's step count lies on the device.
        hyperparameters: those that host scalars are made of, as equations name them.
    """

    def __init__(self, stages: Stages, formats: Mapping[str, Any]):
        super().__init__(stages, formats)
        for v in stages.nodes:
            if v.host is not None and v.host.number is None and not v.op.startswith(("whole", "reduce")):
                self.host(v.host)
        everything = [
            "g",
            "w",
            *formats,
            *self.beside,
            *(x for places in self.places.values() for x in places),
        ]
        self.rows = {place: k for k, place in enumerate(dict.fromkeys(everything))}
        graph = stages.graph
        self.after = [
            n
            for n, kept in graph.kept.items()
            if kept.kind == "all" and graph.outputs[n] is not self.inputs.get(n)
        ]
        self.before = [n for n, kept in graph.kept.items() if kept.kind == "all" and n in self.inputs]
        self.into = {name: len(self.rows) + k for k, name in enumerate(self.after)}
        self.who = len(self.rows) + len(self.into)
        self.count = self.who + 3 * bool(self.forms)
        self.columns = self.count + 1
        self.hyperparameters = list(dict.fromkeys(x for text in self.hosts for x in references(text)))

    def launches(self, variant: Variant) -> list[Launches]:
        """Return the kernels of each phase in this form."""
        found = []
        for p, phase in enumerate(self.stages.phases):
            made = Launches()
            if p == 0 and variant.counted is not None:
                made.counts = Counts(self, p, variant).function()
            if phase.scalars or (p == 0 and (self.kept or self.after or self.before)):
                made.scalars = Scalars(self, p, variant).function()
            for name, kernel in phase.kernels.items():
                made.passes[name] = Pass(self, p, name, kernel, variant).function()
            if phase.totals:
                if any(kernel.sums for kernel in phase.kernels.values()):
                    made.sums = Sums(self, p, variant).function()
                if not variant.alone:
                    made.shares = Shares(self, p, variant).function()
            found.append(made)
        return found

    def stored(self, place: str) -> str:
        """Return the format that a place lies in memory in."""
        if place in self.beside:
            return BESIDE[self.beside[place]]
        if place in self.forms:
            return BITS[self.forms[place]]
        return STORED[self.formats.get(place, self.kind)]
