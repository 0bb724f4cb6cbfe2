"""From stages to LLVM's text: one function for the scalars of a phase, one for each pass over elements.

Every pass is written out in vectors, so that nothing depends on what an optimiser finds out: load, compute,
store, a tail element by element. Threads take segments (a piece of one tensor) from a common counter, so
that a disturbed core holds nobody up; sums are kept a segment apart and in double, so that the result does
not depend on which thread took what.

What a function is given is one array of 64-bit words, a *frame*: see :class:`Frame`.

Where a place is in a number format of its own (:mod:`.stored`), a segment may hold several rows of a matrix,
a vector is one block of a row, and the last one of each row is taken with a mask.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch

from descend.methods.executors.cpu.stored import BESIDE, KIND, Vector, keys
from descend.methods.executors.cpu.words import Arithmetic, Frame, Text
from descend.methods.executors.numbered import Numbered
from descend.methods.executors.stages import ALL, TENSOR, Kernel, Stages
from descend.methods.trace import Host, Value
from descend.parameters.formats import BLOCK, Format, beside

LANES = 16
"""Elements in one vector of float32: one 512-bit register, two or four of narrower machines."""

_STORED = {torch.float32: "float", torch.float64: "double", torch.bfloat16: "i16", torch.float16: "half"}
BYTES = {torch.float32: 4, torch.float64: 8, torch.bfloat16: 2, torch.float16: 2}


class Machine(Numbered):
    """The code of one rule on one path, for one choice of number formats.

    Attributes:
        text: LLVM's text.
        places: by (phase, shape class), the places of a kernel, in the order of its pointers.
        stored: places in number formats of their own.
        in_blocks: whether some of them are in eight bits.
        width: how many words say what a segment is.
    """

    def __init__(self, stages: Stages, formats: Mapping[str, torch.dtype | Format]):
        super().__init__(stages, formats)
        wide = self.kind == torch.float64
        self._kind, self._lanes = ("double", LANES // 2) if wide else ("float", LANES)
        self.width = 5 if self.forms else 3
        if self.in_blocks:
            self._lanes = BLOCK
        self._declared: set[str] = set()
        functions = []
        for p, phase in enumerate(stages.phases):
            functions.append(self._scalars(p))
            for name, kernel in phase.kernels.items():
                functions.append(self._pass(p, name, kernel))
        attributes = 'attributes #0 = { nounwind "prefer-vector-width"="512" }'
        text = "\n".join([*functions, *sorted(self._declared), attributes, ""])
        self.text = text.replace("HOSTS", str(max(len(self.hosts), 1)))

    # The scalars of a phase -----------------------------------------------------------------------
    def _scalars(self, p: int) -> str:
        """Write the function of a phase's scalars: those for all, then those of each tensor."""
        text, stages = Text(), self.stages
        numbers, shared = text.address(Frame.NUMBERS), text.address(Frame.SHARED)
        nodes = stages.phases[p].scalars

        def for_all(v: Value, lanes: int) -> str:
            return text.word("", self.shared[id(v)], shared, "double")

        def first_row(host: Host, lanes: int) -> str:
            return text.word("", self.host(host), numbers, "double")

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
            text, "double", 1, lambda h, n: text.word("", self.host(h), own_numbers, "double"), scalar
        )
        places: dict[str, str] = {}
        for k, name in enumerate(self.kept):
            at = text.new(f"inttoptr i64 {text.word('', k, own_kept)} to ptr")
            places[name] = at
            if p == 0 and name in self.inputs:
                v = self.inputs[name]
                stored = self._stored(name)
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
                stored = self._stored(name)
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
        piece = text.row(arrays[Frame.PIECES], s, self.width, "i64")
        t, first, length, *rows = (text.word("", k, piece) for k in range(self.width))
        numbers = text.row(arrays[Frame.NUMBERS], text.word("", t, arrays[Frame.ROWS]), "HOSTS")
        slots = text.row(arrays[Frame.SLOTS], t, max(len(self.slots), 1))
        table = text.row(arrays[Frame.POINTERS], t, len(places), "i64")
        pointers = {}
        for k, place in enumerate(places):
            base = text.new(f"inttoptr i64 {text.word('', k, table)} to ptr")
            where = rows[1] if self.is_exponents(place) else first
            pointers[place] = text.new(f"getelementptr {self._stored(place)}, ptr {base}, i64 {where}")
        key = self._key(text, kernel, arrays, t, first)
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
            return hold(f"h{h.text}", numbers, self.host(h), width)

        def scalar(v: Value, width: int) -> str:
            if stages.level[id(v)] == ALL:
                return hold(f"a{id(v)}", arrays[Frame.SHARED], self.shared[id(v)], width)
            assert stages.level[id(v)] == TENSOR, v.op
            return hold(f"t{id(v)}", slots, self.slots[id(v)], width)

        whole_vectors = text.new(f"and i64 {length}, -{lanes}")
        loop = partial(self._loop, text, kernel=kernel, pointers=pointers, host=host, scalar=scalar, key=key)
        if self.forms:
            sums = self._reduced(
                text, self._rows(text, loop, length, whole_vectors, rows[0], len(kernel.sums))
            )
        else:
            text.do("br label %vectors")
            vector_sums = loop("vectors", "segment", "0", whole_vectors, lanes)
            sums = self._reduced(text, vector_sums)
            text.do("br label %tail")
            sums = loop("tail", "vectors_end", whole_vectors, length, 1, sums)
        if kernel.sums:
            own = text.row(arrays[Frame.PARTIAL], s, len(stages.sums))
            for x, (_, _, number) in zip(sums, kernel.sums, strict=True):
                at = text.new(f"getelementptr double, ptr {own}, i64 {number}")
                text.do(f"store double {x}, ptr {at}")
        text.do("br label %next")
        text.label("done")
        text.do("ret void")
        text.lines[preamble:preamble] = before.lines
        return self._function(f"pass{p}_{name}", text)

    def _key(
        self, text: Text, kernel: Kernel, arrays: Mapping[Frame, str], t: str, first: str
    ) -> tuple[str, str] | None:
        """Return the keys of a segment's noise, where anything is rounded by chance."""
        forms = {self.forms.get(place) for _, place in kernel.stores} - {None, Format.SPLIT16}
        if not forms:
            return None
        base = text.word("", text.word("", t, arrays[Frame.ROWS]), arrays[Frame.NOISE])
        who = text.row(arrays[Frame.WHO], t, 2, "i64")
        number, offset = text.word("", 0, who), text.word("", 1, who)
        return keys(text, base, number, text.new(f"add i64 {offset}, {first}"))

    def _reduced(self, text: Text, sums: list[str]) -> list[str]:
        """Add up the lanes of sums."""
        lanes, vector = self._lanes, f"<{self._lanes} x double>"
        text.declared.add(f"declare double @llvm.vector.reduce.fadd.v{lanes}f64(double, {vector})")
        call = f"call reassoc double @llvm.vector.reduce.fadd.v{lanes}f64(double -0.0, {vector} "
        return [text.new(f"{call}{x})") for x in sums]

    def _rows(self, text: Text, loop, length: str, whole: str, rows: str, n_sums: int) -> list[str]:
        """Write a loop over the rows of a segment, and return the sums: vectors still."""
        doubles = f"<{self._lanes} x double>"
        blocks = text.new(f"lshr i64 {text.new(f'add i64 {length}, {BLOCK - 1}')}, {BLOCK.bit_length() - 1}")
        text.do("br label %row")
        text.label("row")
        for name, following in (("r", "%row_r2"), ("start", "%row_stop"), ("b", "%row_b2")):
            text.do(f"%row_{name} = phi i64 [ 0, %segment ], [ {following}, %tail_end ]")
        for k in range(n_sums):
            text.do(f"%row_sum{k} = phi {doubles} [ zeroinitializer, %segment ], [ %tail_sum{k}, %tail_end ]")
        text.do(f"%row_stop = add i64 %row_start, {length}")
        text.do(f"%row_full = add i64 %row_start, {whole}")
        text.do("br label %vectors")
        sums = loop("vectors", "row", "%row_start", "%row_full", self._lanes, _names("row", n_sums))
        text.do("br label %tail")
        sums = loop("tail", "vectors_end", "%row_full", "%row_stop", self._lanes, sums, masked=True)
        text.do("%row_r2 = add i64 %row_r, 1")
        text.do(f"%row_b2 = add i64 %row_b, {blocks}")
        text.do(f"%row_more = icmp slt i64 %row_r2, {rows}")
        text.do("br i1 %row_more, label %row, label %rows_end")
        text.label("rows_end")
        return sums

    def _stored(self, place: str) -> str:
        """Return how an element of a place lies in memory, in LLVM's words."""
        form = self.formats.get(place)
        if isinstance(form, Format):
            return KIND.get(form, "i8")
        if place in self.beside:
            return BESIDE[self.beside[place]]
        return self._kind if form is None else _STORED[form]

    def _loop(
        self,
        text,
        name,
        entry,
        start,
        stop,
        lanes,
        sums=None,
        *,
        kernel,
        pointers,
        host,
        scalar,
        key,
        masked=False,
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
        vector = Vector(text, lanes, i, key=key)
        if masked:
            vector.mask = _first_lanes(vector, stop)
        besides = self._beside(vector, pointers)
        for v, place in kernel.loads.items():
            if place in self.forms:
                words.names[id(v)] = vector.opened(self.forms[place], pointers[place], besides.get(place))
            else:
                words.names[id(v)] = self._load(vector, words, place, pointers[place])
        for v in self.stages.needed(kernel):
            words.compute(v)
        for v, place in kernel.stores:
            if place in self.forms:
                form = self.forms[place]
                vector.close(form, words.value(v), place, pointers[place], besides.get(place))
            else:
                self._store(vector, words, words.value(v), place, pointers[place])
        carried = []
        for k, (v, what, _) in enumerate(kernel.sums):
            x = words.value(v)
            if vector.mask is not None:
                x = vector.select(vector.mask, x, "zeroinitializer", self._kind)
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
        return _names(name, len(sums))

    def _beside(self, vector: Vector, pointers: Mapping[str, str]) -> dict[str, str]:
        """Return where that lies which places have beside: correction bits, or the exponent of this block."""
        found = {}
        for place, form in self.forms.items():
            pointer = pointers.get(beside(place))
            if pointer is not None and form.coded:
                text = vector.text
                block = text.new(
                    f"lshr i64 {text.new(f'sub i64 {vector.i}, %row_start')}, {BLOCK.bit_length() - 1}"
                )
                block = text.new(f"add i64 {block}, %row_b")
                pointer = text.new(f"getelementptr i8, ptr {pointer}, i64 {block}")
            if pointer is not None:
                found[place] = pointer
        return found

    def _load(self, vector: Vector, words: Arithmetic, place: str, pointer: str) -> str:
        stored, text = self._stored(place), vector.text
        x = vector.load(stored, pointer)
        if stored == "i16":  # bfloat16: the upper half of a float32
            x = vector.do("shl", vector.as_(x, "i16", "i32", "zext"), 16)
            x, stored = vector.as_(x, "i32", "float"), "float"
        return x if stored == self._kind else text.new(f"fpext {vector.of(stored)} {x} to {words.type}")

    def _store(self, vector: Vector, words: Arithmetic, x: str, place: str, pointer: str) -> None:
        stored, text = self._stored(place), vector.text
        if stored == "i16":
            if self._kind == "double":
                x = text.new(f"fptrunc {words.type} {x} to {vector.of('float')}")
            x = self._rounded_to_bfloat16(text, x, vector.of, vector.lanes)
        elif stored != self._kind:
            x = text.new(f"fptrunc {words.type} {x} to {vector.of(stored)}")
        vector.store(stored, x, pointer)

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


def _names(loop: str, n: int) -> list[str]:
    """Return what the sums of a loop are called."""
    return [f"%{loop}_sum{k}" for k in range(n)]


def _first_lanes(vector: Vector, stop: str) -> str:
    """Return which lanes are before the end."""
    left = vector.text.new(f"trunc i64 {vector.text.new(f'sub i64 {stop}, {vector.i}')} to i32")
    numbers = ", ".join(f"i32 {k}" for k in range(vector.lanes))
    return vector.do("icmp ult", f"<{numbers}>", vector.all(left))
