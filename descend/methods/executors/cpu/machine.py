"""From stages to LLVM's text: one function for the scalars of a phase, one for each pass over elements.

Every pass is written out in vectors, so that nothing depends on what an optimiser finds out: load, compute,
store, a tail element by element. Threads take segments (a piece of one tensor) from a common counter, so
that a disturbed core holds nobody up; sums are kept a segment apart and in double, so that the result does
not depend on which thread took what.

What a function is given is one array of 64-bit words, a *frame*: see :class:`Frame`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from descend.methods.executors.cpu.words import Arithmetic, Frame, Text
from descend.methods.executors.stages import ALL, ELEMENT, TENSOR, Kernel, Stages, level_of_input
from descend.methods.trace import Host, Value

LANES = 16
"""Elements in one vector of float32: one 512-bit register, two or four of narrower machines."""

_STORED = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "i16", torch.float16: "half"}
BYTES = {torch.float32: 4, torch.float64: 8, torch.bfloat16: 2, torch.float16: 2}


class Machine:
    """The code of one rule on one path, for one choice of number formats.

    Args:
        stages: the rule's phases.
        formats: the dtype of each place, inputs and kept.

    Attributes:
        text: LLVM's text.
        hosts: the host scalars, by their Python text, in the order of a row of numbers.
        slots: scalars of a tensor → their column; ``shared``: scalars for all → theirs.
        places: by (phase, shape class), the places of a kernel, in the order of its pointers.
        kept: the numbers kept a tensor, in the order of their addresses.
        kind: the dtype in which is computed.
    """

    def __init__(self, stages: Stages, formats: Mapping[str, torch.dtype]):
        self.stages, self.formats = stages, formats
        wide = torch.float64 in formats.values()
        self.kind = torch.float64 if wide else torch.float32
        self._kind, self._lanes = ("double", LANES // 2) if wide else ("float", LANES)
        self.hosts: dict[str, int] = {}
        self.slots: dict[int, int] = {}
        self.shared: dict[int, int] = {}
        self.classes = list(
            dict.fromkeys(["w", *stages.sum_class, *(c for p in stages.phases for c in p.kernels)])
        )
        self.kept = [n for n in stages.graph.kept if level_of_input(stages.graph, n) == TENSOR]
        self.inputs = {v.name: v for v in stages.nodes if v.op == "input"}
        self._number_scalars()
        self.places: dict[tuple[int, str], list[str]] = {}
        self._declared: set[str] = set()
        functions = []
        for p, phase in enumerate(stages.phases):
            functions.append(self._scalars(p))
            for name, kernel in phase.kernels.items():
                self.places[p, name] = kernel.places()
                functions.append(self._pass(p, name, kernel))
        attributes = 'attributes #0 = { nounwind "prefer-vector-width"="512" }'
        text = "\n".join([*functions, *sorted(self._declared), attributes, ""])
        self.text = text.replace("HOSTS", str(max(len(self.hosts), 1)))

    def _number_scalars(self) -> None:
        for v in self.stages.nodes:
            level = self.stages.level[id(v)]
            if level == TENSOR:
                self.slots[id(v)] = len(self.slots)
            elif level == ALL:
                self.shared[id(v)] = len(self.shared)

    def _host(self, host: Host) -> int:
        return self.hosts.setdefault(host.text, len(self.hosts))

    # The scalars of a phase -----------------------------------------------------------------------
    def _scalars(self, p: int) -> str:
        """Write the function of a phase's scalars: those for all, then those of each tensor."""
        text, stages = Text(), self.stages
        numbers, shared = text.address(Frame.NUMBERS), text.address(Frame.SHARED)
        nodes = stages.phases[p].scalars

        def for_all(v: Value, lanes: int) -> str:
            return text.word("", self.shared[id(v)], shared, "double")

        def first_row(host: Host, lanes: int) -> str:
            return text.word("", self._host(host), numbers, "double")

        words = Arithmetic(text, "double", 1, first_row, for_all)
        for v in nodes:
            if stages.level[id(v)] == ALL and v.op != "total" and not v.op.startswith(("whole", "reduce")):
                words.compute(v)
                self._put(text, words, v, shared, str(self.shared[id(v)]))
        tensors, slots, sums, kept = (
            text.word(Frame.TENSORS),
            *map(text.address, (Frame.SLOTS, Frame.SUMS, Frame.KEPT)),
        )
        rows, counts = text.address(Frame.ROWS), text.address(Frame.COUNTS)
        text.do("br label %head")
        text.label("head")
        text.do("%t = phi i64 [ 0, %entry ], [ %following, %body ]")
        text.do(f"%more = icmp slt i64 %t, {tensors}")
        text.do("br i1 %more, label %body, label %done")
        text.label("body")
        own = text.row(slots, "%t", max(len(self.slots), 1))
        own_numbers = text.row(numbers, text.word("", "%t", rows), "HOSTS")
        own_sums = text.row(sums, "%t", max(len(stages.sums), 1))
        own_counts = text.row(counts, "%t", len(self.classes))
        own_kept = text.row(kept, "%t", max(len(self.kept), 1), "i64")

        def scalar(v: Value, lanes: int) -> str:
            if stages.level[id(v)] == ALL:
                return for_all(v, 1)
            return text.word("", self.slots[id(v)], own, "double")

        words = Arithmetic(
            text, "double", 1, lambda h, n: text.word("", self._host(h), own_numbers, "double"), scalar
        )
        places: dict[str, str] = {}
        for k, name in enumerate(self.kept):
            at = text.new(f"inttoptr i64 {text.word('', k, own_kept)} to ptr")
            places[name] = at
            if p == 0 and name in self.inputs:
                v = self.inputs[name]
                stored = _STORED[self.formats[name]]
                found = text.new(f"load {stored}, ptr {at}")
                words.names[id(v)] = (
                    found if stored == "double" else text.new(f"fpext {stored} {found} to double")
                )
                self._put(text, words, v, own, str(self.slots[id(v)]))
        for v in nodes:
            if stages.level[id(v)] != TENSOR or v.op.startswith(("whole", "reduce")):
                continue
            if v in stages.sums:
                found = text.word("", stages.sums[v], own_sums, "double")
                if v.op == "norm":
                    found = words._call("sqrt", found)
                elif v.op == "mean":
                    number = self.classes.index(stages.sum_class[stages.sums[v]])
                    found = words._operation("fdiv", found, text.word("", number, own_counts, "double"))
                words.names[id(v)] = found
            else:
                words.compute(v)
            self._put(text, words, v, own, str(self.slots[id(v)]))
        for name in self.kept:
            v = stages.graph.outputs[name]
            if stages.phase[id(v)] == p and not (v.op == "input" and v.name == name):
                stored = _STORED[self.formats[name]]
                found = words.value(v)
                if stored != "double":
                    found = text.new(f"fptrunc double {found} to {stored}")
                text.do(f"store {stored} {found}, ptr {places[name]}")
        text.do("%following = add i64 %t, 1")
        text.do("br label %head")
        text.label("done")
        text.do("ret void")
        return self._function(f"scalars{p}", text)

    def _put(self, text: Text, words: Arithmetic, v: Value, base: str, index: str) -> None:
        found = words.value(v)
        at = text.new(f"getelementptr double, ptr {base}, i64 {index}")
        text.do(f"store double {found}, ptr {at}")

    def _function(self, name: str, text: Text) -> str:
        self._declared |= text.declared
        body = "\n".join(text.lines)
        return f"define void @{name}(ptr %f) #0 {{\nentry:\n{body}\n}}\n"

    # One pass over elements -----------------------------------------------------------------------
    def _pass(self, p: int, name: str, kernel: Kernel) -> str:
        text, stages, lanes = Text(), self.stages, self._lanes
        places = self.places[p, name]
        segments = text.word(Frame.SEGMENTS)
        arrays = {
            x: text.address(x) for x in Frame if x not in (Frame.COUNTER, Frame.SEGMENTS, Frame.TENSORS)
        }
        text.do("br label %next")
        text.label("next")
        s = text.new("atomicrmw add ptr %f, i64 1 monotonic")
        more = text.new(f"icmp slt i64 {s}, {segments}")
        text.do(f"br i1 {more}, label %segment, label %done")
        text.label("segment")
        piece = text.row(arrays[Frame.PIECES], s, 3, "i64")
        t, first, length = (text.word("", k, piece) for k in range(3))
        numbers = text.row(arrays[Frame.NUMBERS], text.word("", t, arrays[Frame.ROWS]), "HOSTS")
        slots = text.row(arrays[Frame.SLOTS], t, max(len(self.slots), 1))
        table = text.row(arrays[Frame.POINTERS], t, len(places), "i64")
        pointers = {}
        for k, place in enumerate(places):
            base = text.new(f"inttoptr i64 {text.word('', k, table)} to ptr")
            pointers[place] = text.new(f"getelementptr {self._stored(place)}, ptr {base}, i64 {first}")
        # Scalars are loaded before the loop: what they are is known once its body is written.
        preamble = len(text.lines)
        held: dict[str, tuple[str, str]] = {}  # key → (single, in all lanes)
        before = Text()
        before.count = 100_000

        def hold(key: str, base: str, index: int, width: int) -> str:
            if key not in held:
                x = before.word("", index, base, "double")
                if self._kind == "float":
                    x = before.new(f"fptrunc double {x} to float")
                one = before.new(f"insertelement <{lanes} x {self._kind}> poison, {self._kind} {x}, i64 0")
                zeros = f"<{lanes} x i32> zeroinitializer"
                vector = f"<{lanes} x {self._kind}>"
                held[key] = (x, before.new(f"shufflevector {vector} {one}, {vector} poison, {zeros}"))
            return held[key][0 if width == 1 else 1]

        def host(h: Host, width: int) -> str:
            return hold(f"h{h.text}", numbers, self._host(h), width)

        def scalar(v: Value, width: int) -> str:
            if stages.level[id(v)] == ALL:
                return hold(f"a{id(v)}", arrays[Frame.SHARED], self.shared[id(v)], width)
            assert stages.level[id(v)] == TENSOR, v.op
            return hold(f"t{id(v)}", slots, self.slots[id(v)], width)

        whole_vectors = text.new(f"and i64 {length}, -{lanes}")
        text.do("br label %vectors")
        vector_sums = self._loop(
            text, "vectors", "segment", "0", whole_vectors, lanes, kernel, pointers, host, scalar
        )
        sums = []
        vector = f"<{lanes} x double>"
        for x in vector_sums:
            text.declared.add(f"declare double @llvm.vector.reduce.fadd.v{lanes}f64(double, {vector})")
            call = f"call reassoc double @llvm.vector.reduce.fadd.v{lanes}f64(double -0.0, {vector} {x})"
            sums.append(text.new(call))
        text.do("br label %tail")
        tail_sums = self._loop(
            text, "tail", "vectors_end", whole_vectors, length, 1, kernel, pointers, host, scalar, sums
        )
        if kernel.sums:
            partial = text.row(arrays[Frame.PARTIAL], s, len(stages.sums))
            for x, (_, _, number) in zip(tail_sums, kernel.sums, strict=True):
                at = text.new(f"getelementptr double, ptr {partial}, i64 {number}")
                text.do(f"store double {x}, ptr {at}")
        text.do("br label %next")
        text.label("done")
        text.do("ret void")
        text.lines[preamble:preamble] = before.lines
        return self._function(f"pass{p}_{name}", text)

    def _stored(self, place: str) -> str:
        return _STORED[self.formats[place]] if place in self.formats else self._kind

    def _loop(
        self, text, name, entry, start, stop, lanes, kernel, pointers, host, scalar, sums=None
    ) -> list[str]:
        """Write a loop over elements, and return its sums; the text stands in its end block after it."""
        words = Arithmetic(text, self._kind, lanes, host, scalar)
        doubles = "double" if lanes == 1 else f"<{lanes} x double>"
        zero = "0.0" if lanes == 1 else "zeroinitializer"
        sums = sums or [zero] * len(kernel.sums)
        text.label(name)
        head = len(text.lines)
        i = f"%{name}_i"
        text.do(f"{i} = phi i64 [ {start}, %{entry} ], [ %{name}_i2, %{name}_body ]")
        text.do(f"br i1 %{name}_more, label %{name}_body, label %{name}_end")
        text.lines.insert(head + 1, f"  %{name}_more = icmp slt i64 {i}, {stop}")
        text.label(f"{name}_body")
        for v, place in kernel.loads.items():
            words.names[id(v)] = self._load(text, words, place, pointers[place], i)
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
            self._store(text, words, words.value(v), place, pointers[place], i)
        carried = []
        for k, (v, what, _) in enumerate(kernel.sums):
            x = words.value(v)
            if self._kind == "float":
                x = text.new(f"fpext {words.type} {x} to {doubles}")
            if what == "square":
                x = text.new(f"fmul contract {doubles} {x}, {x}")
            carried.append(text.new(f"fadd contract reassoc {doubles} %{name}_sum{k}, {x}"))
        phis = [
            f"  %{name}_sum{k} = phi {doubles} [ {x}, %{entry} ], [ {carried[k]}, %{name}_body ]"
            for k, x in enumerate(sums)
        ]
        text.lines[head:head] = phis
        text.do(f"%{name}_i2 = add i64 {i}, {lanes}")
        text.do(f"br label %{name}")
        text.label(f"{name}_end")
        return [f"%{name}_sum{k}" for k in range(len(sums))]

    def _load(self, text: Text, words: Arithmetic, place: str, pointer: str, i: str) -> str:
        stored = self._stored(place)
        many = stored if words.lanes == 1 else f"<{words.lanes} x {stored}>"
        at = text.new(f"getelementptr {stored}, ptr {pointer}, i64 {i}")
        align = {"double": 8, "float": 4}.get(stored, 2)
        x = text.new(f"load {many}, ptr {at}, align {align}")
        if stored == "i16":  # bfloat16: the upper half of a float32
            wide = "i32" if words.lanes == 1 else f"<{words.lanes} x i32>"
            x = text.new(f"shl {wide} {text.new(f'zext {many} {x} to {wide}')}, {_splat(16, words.lanes)}")
            floats = "float" if words.lanes == 1 else f"<{words.lanes} x float>"
            x, many, stored = text.new(f"bitcast {wide} {x} to {floats}"), floats, "float"
        return x if stored == self._kind else text.new(f"fpext {many} {x} to {words.type}")

    def _store(self, text: Text, words: Arithmetic, x: str, place: str, pointer: str, i: str) -> None:
        stored = self._stored(place)
        lanes = words.lanes

        def of(kind: str) -> str:
            return kind if lanes == 1 else f"<{lanes} x {kind}>"

        if stored == "i16":
            if self._kind == "double":
                x = text.new(f"fptrunc {words.type} {x} to {of('float')}")
            x = self._rounded_to_bfloat16(text, x, of, lanes)
        elif stored != self._kind:
            x = text.new(f"fptrunc {words.type} {x} to {of(stored)}")
        at = text.new(f"getelementptr {stored}, ptr {pointer}, i64 {i}")
        align = {"double": 8, "float": 4}.get(stored, 2)
        text.do(f"store {of(stored)} {x}, ptr {at}, align {align}")

    @staticmethod
    def _rounded_to_bfloat16(text: Text, x: str, of, lanes: int) -> str:
        """Round to nearest, ties to even; what is not a number stays none."""
        bits = text.new(f"bitcast {of('float')} {x} to {of('i32')}")
        upper = text.new(f"lshr {of('i32')} {bits}, {_splat(16, lanes)}")
        odd = text.new(f"and {of('i32')} {upper}, {_splat(1, lanes)}")
        more = text.new(f"add {of('i32')} {odd}, {_splat(0x7FFF, lanes)}")
        raised = text.new(f"add {of('i32')} {bits}, {more}")
        rounded = text.new(f"lshr {of('i32')} {raised}, {_splat(16, lanes)}")
        none = text.new(f"fcmp uno {of('float')} {x}, {x}")
        found = text.new(
            f"select {of('i1')} {none}, {of('i32')} {_splat(0x7FC0, lanes)}, {of('i32')} {rounded}"
        )
        return text.new(f"trunc {of('i32')} {found} to {of('i16')}")


def _splat(x: int, lanes: int) -> str:
    return str(x) if lanes == 1 else "<" + ", ".join([f"i32 {x}"] * lanes) + ">"
