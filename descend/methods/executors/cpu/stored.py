"""Number formats in LLVM's text: numbers are opened as they are loaded, and rounded as they are stored.

The same integer arithmetic on the bits of float32 as :mod:`descend.parameters.formats`, whose results these
are, bit for bit. Where a place is in eight bits, one vector is one block of 32 numbers: its largest is one
reduction, and its exponent one byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from descend.methods.executors.cpu.words import Text, literal
from descend.parameters import noise
from descend.parameters.formats import HIGHEST, LOWEST, NOT_FINITE, SHIFT, Format

EXPONENT, MAGNITUDE = 0x7F800000, 0x7FFFFFFF
"""The exponent's bits of a float32, which are all set in what is not finite; and all but the sign."""

QUIET = 0x7FC00000
"""What is not a number."""

KIND = {Format.STOCHASTIC: "i16", Format.SPLIT8: "i16", Format.SPLIT16: "i16"}
"""How an element lies in memory, in LLVM's words; ``i8`` where it is not told here."""

BESIDE = {Format.SPLIT8: "i8", Format.SPLIT16: "i16", Format.SIGNED: "i8", Format.NON_NEGATIVE: "i8"}
"""How that lies in memory which a format has beside: correction bits, or exponents."""


def mixed(text: Text, x: str) -> str:
    """Hash 32 bits, as :func:`.noise.mixed`."""
    for shift, factor in ((16, noise.FIRST), (15, noise.SECOND)):
        x = text.new(f"xor i32 {x}, {text.new(f'lshr i32 {x}, {shift}')}")
        x = text.new(f"mul i32 {x}, {factor}")
    return text.new(f"xor i32 {x}, {text.new(f'lshr i32 {x}, 16')}")


def keys(text: Text, base: str, number: str, offset: str) -> tuple[str, str]:
    """Return two keys as :func:`.noise.keys`, but for indices that are counted from some element on.

    Args:
        text: the function.
        base: the two words of the step in one, i64.
        number: of the parameter, i64.
        offset: that element's index in the whole parameter, i64.
    """
    low = text.new(f"trunc i64 {base} to i32")
    high = text.new(f"trunc i64 {text.new(f'lshr i64 {base}, 32')} to i32")
    own = text.new(f"mul i32 {text.new(f'trunc i64 {number} to i32')}, {noise.STRIDE}")
    first = mixed(text, text.new(f"xor i32 {low}, {mixed(text, own)}"))
    second = mixed(text, text.new(f"add i32 {high}, {first}"))
    start = text.new(f"mul i32 {text.new(f'trunc i64 {offset} to i32')}, {noise.STRIDE}")
    return text.new(f"add i32 {start}, {first}"), second


@dataclass
class Vector:
    """A vector of elements that lie side by side, and how it is written.

    Attributes:
        text: the function.
        lanes: how many elements.
        i: the first one's index in its segment, i64.
        mask: which of them there are; ``None`` for all.
        key: of their noise, for the segment's first element: from :func:`keys`.
    """

    text: Text
    lanes: int
    i: str
    mask: str | None = None
    key: tuple[str, str] | None = None
    _random: str = ""

    def of(self, kind: str) -> str:
        """Return the type of a vector of this kind."""
        return kind if self.lanes == 1 else f"<{self.lanes} x {kind}>"

    def all(self, x: int | str, kind: str = "i32") -> str:
        """Return a vector of one number in all lanes: a constant, or an operand."""
        if isinstance(x, int):
            return str(x) if self.lanes == 1 else "<" + ", ".join([f"{kind} {x}"] * self.lanes) + ">"
        one = self.text.new(f"insertelement {self.of(kind)} poison, {kind} {x}, i64 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.text.new(f"shufflevector {self.of(kind)} {one}, {self.of(kind)} poison, {zeros}")

    def do(self, operation: str, a: str, b: int | str, kind: str = "i32") -> str:
        """Write an operation on two vectors, or on one and a number."""
        b = self.all(b, kind) if isinstance(b, int) else b
        return self.text.new(f"{operation} {self.of(kind)} {a}, {b}")

    def select(self, condition: str, a: str, b: str, kind: str = "i32") -> str:
        """Choose by lanes."""
        return self.text.new(f"select {self.of('i1')} {condition}, {self.of(kind)} {a}, {self.of(kind)} {b}")

    def as_(self, x: str, kind: str, to: str, how: str = "bitcast") -> str:
        """Change the type of a vector."""
        return self.text.new(f"{how} {self.of(kind)} {x} to {self.of(to)}")

    def call(self, name: str, kind: str, *operands: str) -> str:
        """Call one of LLVM's functions on vectors."""
        suffix = f"v{self.lanes}{kind}"
        types = ", ".join([self.of(kind)] * len(operands))
        self.text.declared.add(f"declare {self.of(kind)} @llvm.{name}.{suffix}({types})")
        given = ", ".join(f"{self.of(kind)} {x}" for x in operands)
        return self.text.new(f"call {self.of(kind)} @llvm.{name}.{suffix}({given})")

    def load(self, kind: str, pointer: str) -> str:
        """Load these elements of an array; those that are not there come as zeros."""
        at = self.text.new(f"getelementptr {kind}, ptr {pointer}, i64 {self.i}")
        if self.mask is None:
            return self.text.new(f"load {self.of(kind)}, ptr {at}, align {_SIZE[kind]}")
        name = f"@llvm.masked.load.v{self.lanes}{_SUFFIX.get(kind, kind)}.p0"
        self.text.declared.add(f"declare {self.of(kind)} {name}(ptr, i32, {self.of('i1')}, {self.of(kind)})")
        rest = f"{self.of('i1')} {self.mask}, {self.of(kind)} zeroinitializer"
        return self.text.new(f"call {self.of(kind)} {name}(ptr {at}, i32 {_SIZE[kind]}, {rest})")

    def store(self, kind: str, x: str, pointer: str) -> None:
        """Store these elements of an array."""
        at = self.text.new(f"getelementptr {kind}, ptr {pointer}, i64 {self.i}")
        if self.mask is None:
            self.text.do(f"store {self.of(kind)} {x}, ptr {at}, align {_SIZE[kind]}")
            return
        name = f"@llvm.masked.store.v{self.lanes}{_SUFFIX.get(kind, kind)}.p0"
        self.text.declared.add(f"declare void {name}({self.of(kind)}, ptr, i32, {self.of('i1')})")
        mask = f"{self.of('i1')} {self.mask}"
        self.text.do(f"call void {name}({self.of(kind)} {x}, ptr {at}, i32 {_SIZE[kind]}, {mask})")

    # Formats --------------------------------------------------------------------------------------
    def opened(self, form: Format, pointer: str, beside: str | None) -> str:
        """Load numbers stored in a format as float32.

        Args:
            form: the format.
            pointer: of the segment's first element.
            beside: of its correction bits, or of this block's exponent.
        """
        if form.coded:
            assert beside is not None
            return self._decoded(form, pointer, beside)
        x = self.do("shl", self.as_(self.load("i16", pointer), "i16", "i32", "zext"), 16)
        if beside is not None:
            kind = BESIDE[form]
            rest = self.as_(self.load(kind, beside), kind, "i32", "sext")
            x = self.do("add", x, self.do("shl", rest, 8) if kind == "i8" else rest)
        return self.as_(x, "i32", "float")

    def _decoded(self, form: Format, pointer: str, beside: str) -> str:
        code = self.as_(self.load("i8", pointer), "i8", "i32", "zext")
        level = self.do("and", code, 0x7F) if form is Format.SIGNED else code
        # As if the block's exponent were that of 1: then one exact product, with NaN where something is lost.
        a = self.do("add", self.do("shl", level, SHIFT), (128 << 23) - (form.levels << SHIFT))
        a = self.select(self.do("icmp eq", level, 0), self.all(0), a)
        exponent = self.text.new(f"zext i8 {self.text.new(f'load i8, ptr {beside}')} to i64")
        scale = self._looked_up("powers", "float", _POWERS, exponent)
        x = self.do("fmul", self.as_(a, "i32", "float"), self.all(scale, "float"), "float")
        if form is Format.NON_NEGATIVE:
            return x
        sign = self.do("shl", self.do("and", code, 0x80), 24)
        return self.as_(self.do("or", self.as_(x, "float", "i32"), sign), "i32", "float")

    def _looked_up(self, name: str, kind: str, values: Sequence[int | str], index: str) -> str:
        """Return a number from a table of 256."""
        numbers = ", ".join(f"{kind} {x}" for x in values)
        self.text.declared.add(f"@{name} = private unnamed_addr constant [256 x {kind}] [{numbers}]")
        at = self.text.new(f"getelementptr {kind}, ptr @{name}, i64 {index}")
        return self.text.new(f"load {kind}, ptr {at}")

    def close(self, form: Format, x: str, place: str, pointer: str, beside: str | None) -> None:
        """Store float32 numbers in a format; arguments as of :meth:`opened`.

        Args:
            form: the format.
            x: the numbers.
            place: its name.
            pointer: of the segment's first element.
            beside: of its correction bits, or of this block's exponent.
        """
        a = self.as_(x, "float", "i32")
        finite = "" if form.coded else self.do("icmp ult", self.do("and", a, MAGNITUDE), EXPONENT)
        if form is Format.SPLIT16:
            self._split(form, a, finite, pointer, beside)
            return
        random = self.do("mul", self.noise(), noise.name_word(place))
        if form is Format.STOCHASTIC:
            a = self._raised(a, finite, self.do("lshr", random, 16))
            self.store("i16", self.as_(self.do("lshr", a, 16), "i32", "i16", "trunc"), pointer)
        elif form is Format.SPLIT8:
            raised = self.do("and", self.do("add", a, self.do("lshr", random, 24)), -256)
            # One that comes out infinite may go on as if it were finite: its rest is zero.
            self._split(form, self.select(finite, raised, a), finite, pointer, beside)
        else:
            assert beside is not None
            self._encode(form, a, random, pointer, beside)

    def noise(self) -> str:
        """Return 32 random bits a lane, as :func:`.noise.bits`; places take theirs from them."""
        if self._random:
            return self._random
        assert self.key is not None
        text, key = self.text, self.key
        here = text.new(f"mul i32 {text.new(f'trunc i64 {self.i} to i32')}, {noise.STRIDE}")
        here = text.new(f"add i32 {here}, {key[0]}")
        steps = ", ".join(f"i32 {lane * noise.STRIDE % 2**32}" for lane in range(self.lanes))
        x = self.do("add", self.all(here), f"<{steps}>")
        x = self.do("mul", self.do("xor", x, self.do("lshr", x, 16)), noise.FIRST)
        x = self.do("xor", self.do("xor", x, self.do("lshr", x, 15)), self.all(key[1]))
        x = self.do("mul", x, noise.SECOND)
        self._random = self.do("xor", x, self.do("lshr", x, 16))
        return self._random

    def _raised(self, a: str, finite: str, more: int | str) -> str:
        """Add to the bits of what is finite; the upper half of what is not a number stays none."""
        none = self.do("icmp ugt", self.do("and", a, MAGNITUDE), EXPONENT)
        other = self.select(none, self.do("or", a, 0x400000), a)
        return self.select(finite, self.do("add", a, more), other)

    def _split(self, form: Format, a: str, finite: str, pointer: str, beside: str | None) -> None:
        assert beside is not None
        high = self._raised(a, finite, 0x8000)
        self.store("i16", self.as_(self.do("lshr", high, 16), "i32", "i16", "trunc"), pointer)
        rest = self.do("sub", a, self.do("and", high, -0x10000))
        rest = self.select(finite, rest, self.all(0))
        kind = BESIDE[form]
        if kind == "i8":
            rest = self.do("lshr", rest, 8)
        self.store(kind, self.as_(rest, "i32", kind, "trunc"), beside)

    def _encode(self, form: Format, a: str, random: str, pointer: str, beside: str) -> None:
        text, signed, highest = self.text, form is Format.SIGNED, form.levels
        if self.mask is not None:
            a = self.select(self.mask, a, self.all(0))
        sign = self.do("and", self.do("lshr", a, 24), 0x80) if signed else ""
        a = self.do("and", a, MAGNITUDE) if signed else self.call("smax", "i32", a, self.all(0))
        text.declared.add(f"declare i32 @llvm.vector.reduce.umax.v{self.lanes}i32({self.of('i32')})")
        top = text.new(f"call i32 @llvm.vector.reduce.umax.v{self.lanes}i32({self.of('i32')} {a})")
        found = text.new(f"zext i32 {text.new(f'lshr i32 {top}, 23')} to i64")
        exponent = self._looked_up("exponents", "i8", _EXPONENTS, found)
        text.do(f"store i8 {exponent}, ptr {beside}")
        # The bits of the least number above zero of a block: the last code is 2 to the exponent + 1.
        below = [((min(e, HIGHEST) + 1) << 23) - ((highest - 1) << SHIFT) for e in _EXPONENTS]
        low = self._looked_up(f"least{highest}", "i32", below, found)
        steps = self.do("add", a, self.do("lshr", random, 32 - SHIFT))
        steps = self.do("sub", steps, self.all(text.new(f"sub i32 {low}, {1 << SHIFT}")))
        if signed:
            code = self.call("umin", "i32", self.do("lshr", steps, SHIFT), self.all(highest))
            chance = self.as_(self.do("lshr", random, 8), "i32", "float", "sitofp")
            least = self.all(text.new(f"bitcast i32 {low} to float"), "float")
            scale = "<" + ", ".join(["float 0x4170000000000000"] * self.lanes) + ">"  # 2 to the 24
            raised = self.do("fmul", self.as_(a, "i32", "float"), scale, "float")
            kept = self.do("fcmp ogt", raised, self.do("fmul", chance, least, "float"), "float")
            small = self.do("icmp ult", a, self.all(low))
            code = self.select(small, self.all(0), code)
            code = self.select(self.do("and", small, kept, "i1"), self.all(1), code)
            code = self.do("or", code, sign)
        else:  # what is smaller than the least becomes that, and comes out of this as one at most
            code = self.call("smin", "i32", self.do("ashr", steps, SHIFT), self.all(highest))
            code = self.call("smax", "i32", code, self.call("umin", "i32", a, self.all(1)))
        self.store("i8", self.as_(code, "i32", "i8", "trunc"), pointer)


_EXPONENTS = [NOT_FINITE if e == NOT_FINITE else min(max(e, LOWEST), HIGHEST) for e in range(256)]
"""The largest exponent found in a block → what is kept as the block's."""


def _bits(x: int) -> str:
    """Write a float32 of these bits."""
    return literal(struct.unpack("f", struct.pack("I", x))[0], "float")


_POWERS = [_bits(e << 23 if e != NOT_FINITE else QUIET) for e in range(256)]
"""A block's exponent → what its codes are multiplied by."""

_SIZE = {"i8": 1, "i16": 2, "half": 2, "i32": 4, "float": 4, "i64": 8, "double": 8}
_SUFFIX = {"float": "f32", "double": "f64", "half": "f16"}
