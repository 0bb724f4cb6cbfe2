"""The words of a rule in LLVM's text: on vectors of some lanes, or on single numbers."""

from __future__ import annotations

import struct
from enum import IntEnum

from descend.methods.trace import Host, Value


class Frame(IntEnum):
    """The words of a frame, in order; addresses but for the counts."""

    COUNTER = 0  # the next segment to take
    SEGMENTS = 1  # how many there are
    PIECES = 2  # i64[segments][3 or 5]: tensor, first element, length; of a row, rows, first block
    POINTERS = 3  # i64[tensors][places of the kernel]
    NUMBERS = 4  # double[rows][host scalars]
    ROWS = 5  # i64[tensors]: which row of the host scalars
    SLOTS = 6  # double[tensors][scalars of a tensor]
    SHARED = 7  # double[scalars for all]
    PARTIAL = 8  # double[segments][sums of the kernel's class]
    TENSORS = 9  # how many there are
    SUMS = 10  # double[tensors][all sums]
    KEPT = 11  # i64[tensors][numbers kept a tensor]: where they lie
    COUNTS = 12  # double[tensors][shape classes]: how many elements
    NOISE = 13  # i64[rows]: what the noise of a step begins with
    WHO = 14  # i64[tensors][2]: the parameter's number, the index of the first element in all of it


_COMPARE = {"gt": "ogt", "ge": "oge", "lt": "olt", "le": "ole"}
_CALLS = {
    "sqrt": "sqrt",
    "exp": "exp",
    "log": "log",
    "abs": "fabs",
    "maximum": "maximum",
    "minimum": "minimum",
    "pow": "pow",
}


class Text:
    """The text of one function under construction."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0
        self.declared: set[str] = set()

    def new(self, expression: str) -> str:
        """Write an instruction, and return the name of its result."""
        self.count += 1
        name = f"%v{self.count}"
        self.lines.append(f"  {name} = {expression}")
        return name

    def do(self, line: str) -> None:
        """Write an instruction without a result."""
        self.lines.append(f"  {line}")

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")

    def word(self, place: Frame | str, index: str | int = 0, base: str = "%f", kind: str = "i64") -> str:
        """Load one word: of the frame, or of an array at ``base``."""
        at = self.new(
            f"getelementptr {kind}, ptr {base}, i64 {int(place) if isinstance(place, Frame) else index}"
        )
        return self.new(f"load {kind}, ptr {at}")

    def row(self, base: str, index: str, width: int | str, kind: str = "double") -> str:
        """Return the address of a row of a table."""
        first = self.new(f"mul i64 {index}, {width}")
        return self.new(f"getelementptr {kind}, ptr {base}, i64 {first}")

    def address(self, place: Frame) -> str:
        """Load an address from the frame."""
        return self.new(f"inttoptr i64 {self.word(place)} to ptr")


class Arithmetic:
    """The words of a rule on vectors of some lanes, or on single numbers."""

    def __init__(self, text: Text, kind: str, lanes: int, host, scalar):
        self.text, self.kind, self.lanes = text, kind, lanes
        self.type = kind if lanes == 1 else f"<{lanes} x {kind}>"
        self.bits = "i1" if lanes == 1 else f"<{lanes} x i1>"
        self.host, self.scalar = host, scalar
        self.names: dict[int, str] = {}
        self.truths: set[int] = set()

    def number(self, x: float) -> str:
        """Return a constant as an operand."""
        single = literal(x, self.kind)
        if self.lanes == 1:
            return single
        return "<" + ", ".join([f"{self.kind} {single}"] * self.lanes) + ">"

    def constant(self, host: Host | None) -> str:
        """Return a host scalar as an operand."""
        assert host is not None
        return self.number(host.number) if host.number is not None else self.host(host, self.lanes)

    def value(self, v: Value) -> str:
        """Return the operand for a node, which is computed or a scalar from elsewhere."""
        name = self.names.get(id(v))
        if name is None:
            name = self.names[id(v)] = self.scalar(v, self.lanes)
        if id(v) in self.truths:  # as a number: 0 or 1
            name = self.text.new(f"uitofp {self.bits} {name} to {self.type}")
        return name

    def _operation(self, name: str, *operands: str) -> str:
        return self.text.new(f"{name} contract {self.type} {', '.join(operands)}")

    def _call(self, name: str, *operands: str) -> str:
        suffix = (
            ("f32" if self.kind == "float" else "f64")
            if self.lanes == 1
            else (f"v{self.lanes}{'f32' if self.kind == 'float' else 'f64'}")
        )
        types = ", ".join([self.type] * len(operands))
        self.text.declared.add(f"declare {self.type} @llvm.{name}.{suffix}({types})")
        arguments = ", ".join(f"{self.type} {x}" for x in operands)
        return self.text.new(f"call {self.type} @llvm.{name}.{suffix}({arguments})")

    def _compare(self, how: str, a: str, b: str) -> str:
        return self.text.new(f"fcmp {how} {self.type} {a}, {b}")

    def _select(self, condition: str, a: str, b: str) -> str:
        return self.text.new(f"select {self.bits} {condition}, {self.type} {a}, {self.type} {b}")

    def truth(self, v: Value) -> str:
        """Return a condition as truth values; from elsewhere it comes as 0 or 1."""
        if id(v) in self.truths:
            return self.names[id(v)]
        return self._compare("une", self.value(v), self.number(0.0))

    def compute(self, v: Value) -> None:
        """Write one node, whose operands are written already."""
        self.names[id(v)] = self._compute(v)

    def _compute(self, v: Value) -> str:
        op = v.op
        if op == "where":
            a, b = self.value(v.args[1]), self.value(v.args[2])
            return self._select(self.truth(v.args[0]), a, b)
        if op == "fill":
            return self.constant(v.host)
        x = self.value(v.args[0])
        if op.removesuffix("_host") in _COMPARE:
            other = self.constant(v.host) if op.endswith("_host") else self.value(v.args[1])
            self.truths.add(id(v))
            return self._compare(_COMPARE[op.removesuffix("_host")], x, other)
        if op == "scale":
            return self._operation("fmul", x, self.constant(v.host))
        if op == "add_host":
            return self._operation("fadd", x, self.constant(v.host))
        if op in ("add", "mul", "div"):
            return self._operation(
                {"add": "fadd", "mul": "fmul", "div": "fdiv"}[op], x, self.value(v.args[1])
            )
        if op == "reciprocal":
            return self._operation("fdiv", self.number(1.0), x)
        if op == "sign":
            negative = self._compare("olt", x, self.number(0.0))
            found = self._select(negative, self.number(-1.0), self.number(0.0))
            return self._select(self._compare("ogt", x, self.number(0.0)), self.number(1.0), found)
        if op == "pow":
            exponent = v.host.number if v.host is not None else None
            if exponent in (0.5, -0.5):
                root = self._call("sqrt", x)
                return root if exponent == 0.5 else self._operation("fdiv", self.number(1.0), root)
            return self._call("pow", x, self.constant(v.host))
        if op == "lerp":
            return self._lerp(x, self.value(v.args[1]), self.constant(v.host))
        if op in _CALLS:
            return self._call(_CALLS[op], x, *(self.value(a) for a in v.args[1:]))
        if op in ("maximum_host", "minimum_host"):
            return self._call(op.removesuffix("_host"), x, self.constant(v.host))
        if op in ("norm", "mean"):  # of a number
            return self._call("fabs", x) if op == "norm" else x
        raise NotImplementedError(f"no machine code for {op}")

    def _lerp(self, a: str, b: str, t: str) -> str:
        """A + t (b − a), from whichever end is nearer, as torch does: exact at t = 1."""
        near = self._compare("olt", t, self.number(0.5))
        rest = self._operation("fsub", t, self.number(1.0))
        share = self._select(near, t, rest)
        between = self._operation("fsub", b, a)
        return self._operation("fadd", self._select(near, a, b), self._operation("fmul", share, between))


def literal(x: float, kind: str) -> str:
    """Write a number exactly: LLVM takes the bits of a double, for a float those of its double value."""
    if kind == "float":
        x = struct.unpack("f", struct.pack("f", x))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', x))[0]:016X}"
