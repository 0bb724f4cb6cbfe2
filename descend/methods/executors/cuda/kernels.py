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

import torch

from descend.methods.executors.cuda.words import Arithmetic, Text
from descend.methods.executors.numbered import Numbered
from descend.methods.executors.stages import ALL, ELEMENT, TENSOR, Kernel, Stages
from descend.methods.trace import Host, Value

TILE = 1024
"""Elements of one piece: with 4 warps two loads of 128 bits of float32 a thread and place."""
WARPS = 4
BLOCK = 128
"""Tensors whose scalars one program computes side by side, and partial sums that are added at once."""

STORED = {
    torch.float32: "tl.float32",
    torch.float64: "tl.float64",
    torch.bfloat16: "tl.int16",  # taken by its bits, which the interpreter cannot round by itself
    torch.float16: "tl.float16",
}


@dataclass(frozen=True)
class Variant:
    """Which form of the kernels a step needs.

    Attributes:
        aligned: whether every place of every tensor begins at a multiple of 16 bytes.
        one_row: whether all tensors have one step count, so that host scalars are parameters.
        alone: whether a job's totals are the whole totals.
        scaled: whether gradients come multiplied by a scale, and may be found to be infinite.
    """

    aligned: bool = True
    one_row: bool = True
    alone: bool = True
    scaled: bool = False


@dataclass
class Function:
    """A kernel.

    Attributes:
        name: of the function.
        text: Triton's.
        parameters: the names of its words, in order.
        programs: how many are launched: the name of a count, or a number.
    """

    name: str
    text: str
    parameters: list[str]
    programs: str | int


@dataclass
class Launches:
    """What is launched in one phase: scalars, passes by shape class, then what adds up.

    Attributes:
        scalars: the scalars of the phase, where there are any.
        passes: by shape class.
        sums: adds up pieces, where totals need them.
        shares: this job's share of totals, where it is not alone.
    """

    scalars: Function | None = None
    passes: dict[str, Function] = field(default_factory=dict)
    sums: Function | None = None
    shares: Function | None = None


class Kernels(Numbered):
    """The kernels of one rule on one path, for one choice of number formats.

    Attributes:
        rows: place → row of the table of addresses; ``g`` is the first, so that it can be sent alone.
        into: numbers kept for all → the row that says where they are written.
        places: by (phase, shape class), the places of a kernel.
    """

    def __init__(self, stages: Stages, formats: Mapping[str, Any]):
        super().__init__(stages, formats)
        for v in stages.nodes:
            if v.host is not None and v.host.number is None and not v.op.startswith(("whole", "reduce")):
                self.host(v.host)
        self.places = {
            (p, name): kernel.places()
            for p, phase in enumerate(stages.phases)
            for name, kernel in phase.kernels.items()
        }
        everything = ["g", "w", *formats, *(x for places in self.places.values() for x in places)]
        self.rows = {place: k for k, place in enumerate(dict.fromkeys(everything))}
        graph = stages.graph
        self.after = [
            n
            for n, kept in graph.kept.items()
            if kept.kind == "all" and graph.outputs[n] is not self.inputs.get(n)
        ]
        self.before = [n for n, kept in graph.kept.items() if kept.kind == "all" and n in self.inputs]
        self.into = {name: len(self.rows) + k for k, name in enumerate(self.after)}

    def launches(self, variant: Variant) -> list[Launches]:
        """Return the kernels of each phase in this form."""
        found = []
        for p, phase in enumerate(self.stages.phases):
            made = Launches()
            if phase.scalars or (p == 0 and (self.kept or self.after or self.before)):
                made.scalars = _Scalars(self, p, variant).function()
            for name, kernel in phase.kernels.items():
                made.passes[name] = _Pass(self, p, name, kernel, variant).function()
            if phase.totals:
                if any(kernel.sums for kernel in phase.kernels.values()):
                    made.sums = _Sums(self, p, variant).function()
                if not variant.alone:
                    made.shares = _Shares(self, p, variant).function()
            found.append(made)
        return found

    def stored(self, place: str) -> str:
        """Return the format that a place lies in memory in."""
        return STORED[self.formats.get(place, self.kind)]


class _Writer:
    """One kernel under construction: its text and the words that it is given."""

    def __init__(self, kernels: Kernels, p: int, variant: Variant):
        self.kernels, self.stages, self.p, self.variant = kernels, kernels.stages, p, variant
        self.wide = kernels.kind == torch.float64
        self.text = Text()
        self.parameters: list[str] = []
        if variant.scaled:  # found to be infinite: nothing moves
            self.text.do(f"if tl.load({self.address('found_inf', 'tl.float32')}) != 0:")
            self.text.do("    return")

    def parameter(self, name: str) -> str:
        """Return a word that the kernel is given."""
        if name not in self.parameters:
            self.parameters.append(name)
        return name

    def address(self, name: str, kind: str = "tl.float64") -> str:
        """Return an address that the kernel is given."""
        return f"{self.parameter(name)}.to(tl.pointer_type({kind}))"

    def entry(self, row: int, t: str, mask: str = "") -> str:
        """Return the address of a place of tensor ``t``, as a number."""
        masked = f", mask={mask}, other=0" if mask else ""
        return f"tl.load({self.address('table', 'tl.int64')} + ({row} * {self.parameter('n')} + {t}){masked})"

    def number(self, text: Text, host: Host, row: str | None) -> str:
        """Load a host scalar in double: a parameter, or from the table of rows."""
        k = self.kernels.host(host)
        if row is None:
            return text.new(f"{self.parameter(f'h{k}')}.to(tl.int64).to(tl.float64, bitcast=True)")
        columns = len(self.kernels.hosts)
        return text.new(f"tl.load({self.address('numbers')} + ({row} * {columns} + {k}))")

    def opened(self, place: str, loaded: str, kind: str) -> str:
        """Return what makes numbers of this kind of what was loaded from a place."""
        if self.kernels.formats.get(place) is torch.bfloat16:  # the upper half of a float32
            loaded = f"({loaded}.to(tl.int32) << 16).to(tl.float32, bitcast=True)"
        return f"{loaded}.to({kind})"

    def closed(self, place: str, x: str) -> str:
        """Return what makes of a number that which is stored in a place, rounded once, to even."""
        if self.kernels.formats.get(place) is not torch.bfloat16:
            return f"({x}).to({self.kernels.stored(place)})"
        narrow = self.text.new(f"({x}).to(tl.float32)")
        bits = self.text.new(f"{narrow}.to(tl.int32, bitcast=True)")
        rounded = f"(({bits} + (({bits} >> 16) & 1) + 0x7FFF) >> 16)"
        return f"tl.where({narrow} != {narrow}, 0x7FC0, {rounded}).to(tl.int16)"

    def function(self, name: str, programs: str | int) -> Function:
        """Put the function together."""
        head = f"def {name}({', '.join(self.parameters)}):"
        if not self.text.lines:  # totals alone, which come from elsewhere
            self.text.do("pass")
        return Function(name, "\n".join([head, *self.text.lines, ""]), self.parameters, programs)


class _Pass(_Writer):
    """One pass over the elements of the tensors of one shape class."""

    def __init__(self, kernels: Kernels, p: int, name: str, kernel: Kernel, variant: Variant):
        super().__init__(kernels, p, variant)
        self.name, self.kernel = name, kernel
        self.places = kernels.places[p, name]
        self.held: dict[str, str] = {}
        self.before = Text(prefix="c")
        self.kind = "tl.float64" if self.wide else "tl.float32"

    def function(self) -> Function:  # type: ignore[override]
        text, kernel = self.text, self.kernel
        text.do(f"piece = tl.load({self.address(f'pieces_{self.name}', 'tl.int64')} + tl.program_id(0))")
        text.do("t = piece & 0xFFFFFFFF")
        text.do(f"first = (piece >> 32) * {TILE}")
        text.do(f"left = tl.load({self.address(f'sizes_{self.name}', 'tl.int64')} + t) - first")
        if not self.variant.one_row:
            text.do(f"row = tl.load({self.address('rows', 'tl.int64')} + t)")
        for k, place in enumerate(self.places):
            address = self.entry(self.kernels.rows[place], "t")
            text.do(f"at{k} = {address}.to(tl.pointer_type({self.kernels.stored(place)})) + first")
            if self.variant.aligned:
                text.do(f"at{k} = tl.multiple_of(at{k}, 16)")
        text.do(f"i = tl.arange(0, {TILE})")
        here = len(text.lines)
        text.do(f"if left >= {TILE}:")
        self._body("")
        text.do("else:")
        text.do("    inside = i < left")
        self._body("inside")
        text.lines[here:here] = self.before.lines
        for k, (_, _, number) in enumerate(kernel.sums):
            count = self.parameter(f"count_{self.name}")
            place = f"{self.address(f'partial_{self.name}')} + ({number} * {count} + tl.program_id(0))"
            text.do(f"tl.store({place}, sum{k})")
        return super().function(f"pass{self.p}_{self.name}", f"count_{self.name}")

    def _hold(self, key: str, load: str) -> str:
        """Load a scalar before the elements, once."""
        if key not in self.held:
            self.held[key] = self.before.new(f"{load}.to({self.kind})")
        return self.held[key]

    def _host(self, host: Host) -> str:
        key = f"h{host.text}"
        if key not in self.held:
            wide = self.number(self.before, host, None if self.variant.one_row else "row")
            self._hold(key, wide)
        return self.held[key]

    def _scalar(self, v: Value) -> str:
        if self.stages.level[id(v)] == ALL:
            column = self.kernels.shared[id(v)]
            return self._hold(f"a{column}", f"tl.load({self.address('shared')} + {column})")
        column, n = self.kernels.slots[id(v)], self.parameter("n")
        return self._hold(f"t{column}", f"tl.load({self.address('slots')} + ({column} * {n} + t))")

    def _body(self, mask: str) -> None:
        """Write load, compute, store and sum for one tile."""
        text, kernel = self.text, self.kernel
        text.indent += 1
        words = Arithmetic(text, self.wide, self._host, self._scalar)
        for v, place in kernel.loads.items():
            words.names[id(v)] = text.new(self._load(place, mask))
        needed: set[int] = set()

        def mark(v: Value) -> None:
            if id(v) in needed or v in kernel.loads or self.stages.level[id(v)] != ELEMENT:
                return
            needed.add(id(v))
            for a in v.args:
                mark(a)

        for v, *_ in [*kernel.stores, *kernel.sums]:
            mark(v)
        for v in self.stages.nodes:
            if id(v) in needed:
                words.compute(v)
        for v, place in kernel.stores:
            self._store(words.value(v), place, mask)
        for k, (v, what, _) in enumerate(kernel.sums):
            x = text.new(f"{words.value(v)}.to(tl.float64)")
            x = f"{x} * {x}" if what == "square" else x
            text.do(f"sum{k} = tl.sum({f'tl.where({mask}, {x}, 0.0)' if mask else x}, axis=0)")
        text.indent -= 1

    def _load(self, place: str, mask: str) -> str:
        """Return what loads a tile of a place, as numbers to compute with."""
        masked = f", mask={mask}, other=0" if mask else ""
        once = ', eviction_policy="evict_first"' if place == "g" else ""  # nobody reads it again
        found = f"tl.load(at{self.places.index(place)} + i{masked}{once})"
        found = self.opened(place, found, self.kind)
        if place != "g" or not self.variant.scaled:
            return found
        if "scale" not in self.held:
            scale = f"tl.load({self.address('scale', 'tl.float32')}).to(tl.float64)"
            self.held["scale"] = self.before.new(f"(1.0 / {scale}).to({self.kind})")
        return f"{found} * {self.held['scale']}"

    def _store(self, x: str, place: str, mask: str) -> None:
        """Write what stores a tile of numbers in a place, rounded once."""
        masked = f", mask={mask}" if mask else ""
        self.text.do(f"tl.store(at{self.places.index(place)} + i, {self.closed(place, x)}{masked})")


class _Sums(_Writer):
    """Adds up the pieces of each tensor; one program a tensor."""

    def function(self) -> Function:  # type: ignore[override]
        self.text.do("t = tl.program_id(0).to(tl.int64)")
        for number in self.write():
            place = f"{self.address('sums')} + ({number} * {self.parameter('n')} + t)"
            self.text.do(f"tl.store({place}, sum{number})")
        return super().function(f"sums{self.p}", "n")

    def write(self) -> list[int]:
        """Write the sums of tensor ``t``, and return their numbers."""
        text, numbers = self.text, []
        for name, kernel in self.stages.phases[self.p].kernels.items():
            if not kernel.sums:
                continue
            text.do(f"start = tl.load({self.address(f'starts_{name}', 'tl.int64')} + t)")
            text.do(f"stop = tl.load({self.address(f'starts_{name}', 'tl.int64')} + t + 1)")
            found = [number for _, _, number in kernel.sums]
            for number in found:
                text.do(f"sums{number} = tl.zeros(({BLOCK},), tl.float64)")
            text.do(f"for j in range(start, stop, {BLOCK}):")
            text.do(f"    piece = j + tl.arange(0, {BLOCK})")
            partial, count = self.address(f"partial_{name}"), self.parameter(f"count_{name}")
            for number in found:
                at = f"{partial} + ({number} * {count} + piece)"
                text.do(f"    sums{number} += tl.load({at}, mask=piece < stop, other=0.0)")
            for number in found:
                text.do(f"sum{number} = tl.sum(sums{number}, axis=0)")
            numbers += found
        return numbers


class _Shares(_Writer):
    """This job's share of the totals of a phase; one program."""

    def function(self) -> Function:  # type: ignore[override]
        for v, x in self.write(self.stages.phases[self.p].totals, {}).items():
            self.text.do(f"tl.store({self.address('shared')} + {self.kernels.shared[id(v)]}, {x})")
        return super().function(f"shares{self.p}", 1)

    def write(self, totals: list[Value], known: dict[int, str]) -> dict[Value, str]:
        """Write the totals of these tensors, and return their names."""
        text, kernels, n = self.text, self.kernels, self.parameter("n")
        found = {}
        for v in totals:
            of = v.args[0]
            if self.stages.level[id(of)] == ALL:  # what is one for all counts once a tensor
                column = kernels.shared[id(of)]
                x = known.get(id(of)) or f"tl.load({self.address('shared')} + {column})"
                found[v] = text.new(f"{x} * {n}")
                continue
            array, number = (
                ("sums", self.stages.sums[v]) if v in self.stages.sums else ("slots", kernels.slots[id(of)])
            )
            text.do(f"shares{number} = tl.zeros(({BLOCK},), tl.float64)")
            text.do(f"for j in range(0, {n}, {BLOCK}):")
            text.do(f"    k = j + tl.arange(0, {BLOCK})")
            at = f"{self.address(array)} + ({number} * {n} + k)"
            text.do(f"    shares{number} += tl.load({at}, mask=k < {n}, other=0.0)")
            found[v] = text.new(f"tl.sum(shares{number}, axis=0)")
        return found


class _Scalars(_Writer):
    """The scalars of a phase: those for all, then those of each tensor.

    Where sums of pieces are all that it waits for, there is a program for each tensor, which adds them up;
    else a program takes many tensors side by side.
    """

    def __init__(self, kernels: Kernels, p: int, variant: Variant):
        super().__init__(kernels, p, variant)
        before = self.stages.phases[p - 1] if p else None
        self.totals = before.totals if before is not None else []
        sums = before is not None and any(kernel.sums for kernel in before.kernels.values())
        self.adds = sums and not self.totals
        self.mask = "" if self.adds else "inside"

    def function(self) -> Function:  # type: ignore[override]
        text, kernels, p, stages = self.text, self.kernels, self.p, self.stages
        nodes = [v for v in stages.phases[p].scalars if not v.op.startswith(("whole", "reduce"))]
        for_all = self._for_all([v for v in nodes if stages.level[id(v)] == ALL and v.op != "total"])
        here = len(text.lines)
        nodes = [v for v in nodes if stages.level[id(v)] == TENSOR]
        text.indent += 0 if self.adds else 1
        self._of_tensors(nodes, for_all)
        text.indent = 1
        if self.adds:
            return super().function(f"scalars{p}", "n")
        if len(text.lines) == here + 2:  # nothing for any tensor
            del text.lines[here:]
            return super().function(f"scalars{p}", 1)
        n = self.parameter("n")
        loop = f"for j in range(tl.program_id(0) * {BLOCK}, {n}, tl.num_programs(0) * {BLOCK}):"
        text.lines.insert(here, f"    {loop}")
        # A program must not write a number for all that another one has yet to read.
        alone = p == 0 and any(stages.phase[id(stages.graph.outputs[x])] == 0 for x in kernels.after)
        return super().function(f"scalars{p}", 1 if alone else "blocks")

    def _for_all(self, nodes: list[Value]) -> dict[int, str]:
        """Write the scalars for all; every program does, and to the same numbers."""
        text, kernels, stages = self.text, self.kernels, self.stages
        known: dict[int, str] = {}

        def scalar(v: Value) -> str:
            return text.new(f"tl.load({self.address('shared')} + {kernels.shared[id(v)]})")

        def host(h: Host) -> str:
            return self.number(text, h, None if self.variant.one_row else "0")

        words = Arithmetic(text, True, host, scalar)
        words.names = known
        made: list[Value] = []
        if self.p == 0:
            for name in kernels.before:
                v, stored = kernels.inputs[name], kernels.stored(name)
                place = f"{self.entry(kernels.rows[name], '0')}.to(tl.pointer_type({stored}))"
                known[id(v)] = text.new(self.opened(name, f"tl.load({place})", "tl.float64"))
                made.append(v)
        if self.totals and self.variant.alone:
            shares = _Shares.write(self, self.totals, known)  # type: ignore[arg-type]
            known.update((id(v), x) for v, x in shares.items())
            made += shares
        for v in nodes:
            words.compute(v)
            made.append(v)
        for v in made:
            x = known[id(v)] = words.value(v)
            text.do(f"tl.store({self.address('shared')} + {kernels.shared[id(v)]}, {x})")
        for name in kernels.after:
            v = stages.graph.outputs[name]
            if stages.phase[id(v)] == self.p:
                stored = kernels.stored(name)
                place = f"{self.entry(kernels.into[name], '0')}.to(tl.pointer_type({stored}))"
                text.do(f"tl.store({place}, {self.closed(name, words.value(v))})")
        return known

    def _of_tensors(self, nodes: list[Value], for_all: dict[int, str]) -> None:
        """Write the scalars of tensor ``t``: one, or many side by side."""
        text, kernels, stages, p = self.text, self.kernels, self.stages, self.p
        n, mask = self.parameter("n"), self.mask
        inside = f", mask={mask}, other=0" if mask else ""
        stores = f", mask={mask}" if mask else ""
        if self.adds:
            text.do("t = tl.program_id(0).to(tl.int64)")
            sums = _Sums(kernels, p - 1, self.variant)
            sums.text, sums.parameters = text, self.parameters
            sums.write()
        else:
            text.do(f"t = (j + tl.arange(0, {BLOCK})).to(tl.int64)")
            text.do(f"inside = t < {n}")
        if not self.variant.one_row and any(v.host is not None for v in nodes):
            text.do(f"row = tl.load({self.address('rows', 'tl.int64')} + t{inside})")

        def at(array: str, column: int) -> str:
            return f"{self.address(array)} + ({column} * {n} + t)"

        def host(h: Host) -> str:
            return self.number(text, h, None if self.variant.one_row else "row")

        def scalar(v: Value) -> str:
            if stages.level[id(v)] == ALL:
                found = for_all.get(id(v))
                return found or text.new(f"tl.load({self.address('shared')} + {kernels.shared[id(v)]})")
            return text.new(f"tl.load({at('slots', kernels.slots[id(v)])}{inside})")

        words = Arithmetic(text, True, host, scalar)
        made = []
        if p == 0:
            for name in kernels.kept:
                if name in kernels.inputs:
                    place = self._kept(name)
                    found = self.opened(name, f"tl.load({place}{inside})", "tl.float64")
                    words.names[id(kernels.inputs[name])] = text.new(found)
                    made.append(kernels.inputs[name])
        for v in nodes:
            if v in stages.sums:
                number = stages.sums[v]
                found = f"sum{number}" if self.adds else text.new(f"tl.load({at('sums', number)}{inside})")
                if v.op == "norm":
                    found = text.new(f"tl.sqrt({found})")
                elif v.op == "mean":
                    sizes = self.address(f"sizes_{stages.sum_class[number]}", "tl.int64")
                    found = text.new(f"{found} / tl.load({sizes} + t{inside}).to(tl.float64)")
                words.names[id(v)] = found
            else:
                words.compute(v)
            made.append(v)
        for v in made:
            text.do(f"tl.store({at('slots', kernels.slots[id(v)])}, {words.value(v)}{stores})")
        for name in kernels.kept:
            v = stages.graph.outputs[name]
            if stages.phase[id(v)] == p and not (v.op == "input" and v.name == name):
                x = words.value(v)
                text.do(f"tl.store({self._kept(name)}, {self.closed(name, x)}{stores})")

    def _kept(self, name: str) -> str:
        """Return where a number kept a tensor lies."""
        address = self.entry(self.kernels.rows[name], "t", self.mask)
        return f"{address}.to(tl.pointer_type({self.kernels.stored(name)}))"
