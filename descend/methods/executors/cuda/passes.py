"""The kernel of one pass over elements: load, compute, store and sum, a tile a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descend.methods.executors.cuda import stored
from descend.methods.executors.cuda.words import Arithmetic, Text
from descend.methods.executors.cuda.writing import TILE, Function, Variant, Writer
from descend.methods.executors.stages import ALL, Kernel
from descend.methods.trace import Host, Value
from descend.parameters.formats import BLOCK, Format, beside

if TYPE_CHECKING:
    from descend.methods.executors.cuda.kernels import Kernels


class Pass(Writer):
    """One pass over the elements of the tensors of one shape class."""

    def __init__(self, kernels: Kernels, p: int, name: str, kernel: Kernel, variant: Variant):
        super().__init__(kernels, p, variant)
        self.name, self.kernel = name, kernel
        self.places = kernels.places[p, name]
        self.held: dict[str, str] = {}
        self.key: tuple[str, str] | None = None
        self.random = ""
        self.before = Text(prefix="c")
        self.kind = "tl.float64" if self.wide else "tl.float32"

    def function(self) -> Function:
        """Return the kernel."""
        text, kernel = self.text, self.kernel
        text.do(f"piece = tl.load({self.address(f'pieces_{self.name}', 'tl.int64')} + tl.program_id(0))")
        text.do("t = piece & 0xFFFFFFFF")
        text.do(f"first = (piece >> 32) * {TILE}")
        text.do(f"left = tl.load({self.address(f'sizes_{self.name}', 'tl.int64')} + t) - first")
        self.row()
        for k, place in enumerate(self.places):
            address = self.entry(self.kernels.rows[place], "t")
            where = f"first // {BLOCK}" if self.kernels.is_exponents(place) else "first"
            text.do(f"at{k} = {address}.to(tl.pointer_type({self.kernels.stored(place)})) + {where}")
            if self.variant.aligned:
                text.do(f"at{k} = tl.multiple_of(at{k}, 16)")
        text.do(f"i = tl.arange(0, {TILE})")
        if any(map(self.kernels.is_exponents, self.places)):
            text.do(f"block = tl.arange(0, {TILE // BLOCK})")
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
        return self.finished(f"pass{self.p}_{self.name}", f"count_{self.name}")

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
        self.random = ""
        words = Arithmetic(text, self.wide, self._host, self._scalar)
        for v, place in kernel.loads.items():
            words.names[id(v)] = text.new(self._load(place, mask))
        for v in self.stages.needed(kernel):
            words.compute(v)
        if any(self.kernels.is_exponents(beside(place)) for _, place in kernel.stores):
            # Several warps may read one exponent, and one of them writes it: not before all have read.
            text.do("tl.debug_barrier()")
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
        form = self.kernels.forms.get(place)
        if form is not None:
            return self._opened(place, form, found, mask)
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
        form = self.kernels.forms.get(place)
        if form is not None:
            bits = None
            if form is not Format.SPLIT16:
                bits = stored.of_place(self.text, self._random(), place)
            found, rest = stored.closed(self.text, form, x, bits, mask)
            if rest is not None:
                at, inside = self._beside(place, mask)
                self.text.do(f"tl.store({at}, {rest}{inside})")
        else:
            found = self.closed(place, x)
        self.text.do(f"tl.store(at{self.places.index(place)} + i, {found}{masked})")

    # Number formats ---------------------------------------------------------------------------------
    def _opened(self, place: str, form: Format, found: str, mask: str) -> str:
        """Return what loads a tile of a place in a number format of its own."""
        rest = None
        if beside(place) in self.kernels.beside:
            at, masked = self._beside(place, mask)
            rest = self.text.new(f"tl.load({at}{masked and masked + ', other=0'})")
        return stored.opened(self.text, form, self.text.new(found), rest)

    def _beside(self, place: str, mask: str) -> tuple[str, str]:
        """Return where that lies which a place has beside, and its mask as an argument."""
        name = beside(place)
        blocks = self.kernels.is_exponents(name)
        inside = f"block * {BLOCK} < left" if blocks else mask
        index = "block" if blocks else "i"
        return f"at{self.places.index(name)} + {index}", f", mask={inside}" if mask else ""

    def _random(self) -> str:
        """Return the random bits of the elements of a tile; places take theirs from them."""
        if self.key is None:
            who = self.kernels.who
            if self.variant.counted is not None:
                base = f"tl.load({self.address('noises', 'tl.int64')} + t)"
            else:
                base = self.parameter("noise") if self.variant.one_row else self.entry(who + 2, "t")
            base = self.before.new(f"{base}.to(tl.int64)")
            offset = f"{self.entry(who + 1, 't')} + first"
            self.key = stored.keys(self.before, base, self.entry(who, "t"), offset)
        if not self.random:
            self.random = stored.random(self.text, self.key)
        return self.random
