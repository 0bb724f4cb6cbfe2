"""The kernels of scalars: sums of pieces, shares of totals, and what the equations make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.methods.executors.cuda.words import Arithmetic
from descend.methods.executors.cuda.writing import BLOCK, Function, Variant, Writer
from descend.methods.executors.stages import ALL, TENSOR
from descend.methods.trace import Host, Value

if TYPE_CHECKING:
    from descend.methods.executors.cuda.kernels import Kernels


class Sums(Writer):
    """Adds up the pieces of each tensor; one program a tensor."""

    def function(self) -> Function:
        """Return the kernel."""
        self.text.do("t = tl.program_id(0).to(tl.int64)")
        for number in self.write():
            place = f"{self.address('sums')} + ({number} * {self.parameter('n')} + t)"
            self.text.do(f"tl.store({place}, sum{number})")
        return self.finished(f"sums{self.p}", "n")

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


class Shares(Writer):
    """This job's share of the totals of a phase; one program."""

    def function(self) -> Function:
        """Return the kernel."""
        for v, x in self.write(self.stages.phases[self.p].totals, {}).items():
            self.text.do(f"tl.store({self.address('shared')} + {self.kernels.shared[id(v)]}, {x})")
        return self.finished(f"shares{self.p}", 1)

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


class Scalars(Writer):
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

    def function(self) -> Function:
        """Return the kernel."""
        text, kernels, p, stages = self.text, self.kernels, self.p, self.stages
        nodes = [v for v in stages.phases[p].scalars if not v.op.startswith(("whole", "reduce"))]
        for_all = self._for_all([v for v in nodes if stages.level[id(v)] == ALL and v.op != "total"])
        here = len(text.lines)
        nodes = [v for v in nodes if stages.level[id(v)] == TENSOR]
        text.indent += 0 if self.adds else 1
        self._of_tensors(nodes, for_all)
        text.indent = 1
        if self.adds:
            return self.finished(f"scalars{p}", "n")
        if len(text.lines) == here + 2:  # nothing for any tensor
            del text.lines[here:]
            return self.finished(f"scalars{p}", 1)
        n = self.parameter("n")
        loop = f"for j in range(tl.program_id(0) * {BLOCK}, {n}, tl.num_programs(0) * {BLOCK}):"
        text.lines.insert(here, f"    {loop}")
        # A program must not write a number for all that another one has yet to read.
        alone = p == 0 and any(stages.phase[id(stages.graph.outputs[x])] == 0 for x in kernels.after)
        return self.finished(f"scalars{p}", 1 if alone else "blocks")

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
            shares = Shares.write(self, self.totals, known)  # type: ignore[arg-type]
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
            sums = Sums(kernels, p - 1, self.variant)
            sums.text, sums.parameters = text, self.parameters
            sums.write()
        else:
            text.do(f"t = (j + tl.arange(0, {BLOCK})).to(tl.int64)")
            text.do(f"inside = t < {n}")
        if any(v.host is not None for v in nodes):
            self.row(inside)

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
