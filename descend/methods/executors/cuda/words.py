"""The words of a rule in Triton's text: on tiles of elements, on many tensors' scalars, or on one number."""

from __future__ import annotations

import math
from collections.abc import Callable

from descend.methods.trace import Host, Value

_COMPARE = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_BINARY = {"add": "+", "mul": "*"}


class Text:
    """The text of one function under construction."""

    def __init__(self, indent: int = 1, prefix: str = "v") -> None:
        self.lines: list[str] = []
        self.indent, self._prefix, self._count = indent, prefix, 0

    def do(self, line: str) -> None:
        """Write a line."""
        self.lines.append("    " * self.indent + line)

    def new(self, expression: str) -> str:
        """Write an assignment, and return the name."""
        self._count += 1
        name = f"{self._prefix}{self._count}"
        self.do(f"{name} = {expression}")
        return name


class Arithmetic:
    """The words of a rule on whatever the names stand for.

    Args:
        text: where to write.
        wide: whether it is computed in float64, else float32.
        host: the name of a host scalar.
        scalar: the name of a value of another reach.
    """

    def __init__(
        self, text: Text, wide: bool, host: Callable[[Host], str], scalar: Callable[[Value], str]
    ) -> None:
        self.text, self.wide, self._host, self._scalar = text, wide, host, scalar
        self.kind = "tl.float64" if wide else "tl.float32"
        self.names: dict[int, str] = {}
        self.truths: set[int] = set()

    def number(self, x: float) -> str:
        """Return a constant as an operand."""
        text = repr(x) if math.isfinite(x) else f'float("{x}")'
        # A bare number would become float32 before it meets a float64.
        return f"tl.full((), {text}, {self.kind})" if self.wide or not math.isfinite(x) else f"({text})"

    def constant(self, host: Host | None) -> str:
        """Return a host scalar as an operand."""
        assert host is not None
        return self.number(host.number) if host.number is not None else self._host(host)

    def value(self, v: Value) -> str:
        """Return the operand for a node, which is computed or a scalar from elsewhere."""
        name = self.names.get(id(v))
        if name is None:
            name = self.names[id(v)] = self._scalar(v)
        if id(v) in self.truths:  # as a number: 0 or 1
            name = self.text.new(f"{name}.to({self.kind})")
        return name

    def truth(self, v: Value) -> str:
        """Return a condition as truth values; from elsewhere it comes as 0 or 1."""
        return self.names[id(v)] if id(v) in self.truths else f"({self.value(v)} != 0)"

    def compute(self, v: Value) -> None:
        """Write one node, whose operands are written already."""
        self.names[id(v)] = self.text.new(self._expression(v))

    def divided(self, a: str, b: str) -> str:
        """Return a quotient, correctly rounded."""
        return f"{a} / {b}" if self.wide else f"tl.div_rn({a}, {b})"

    def root(self, x: str) -> str:
        """Return a square root, correctly rounded."""
        return f"tl.sqrt({x})" if self.wide else f"tl.sqrt_rn({x})"

    def _one(self) -> str:
        return f"tl.full((), 1.0, {self.kind})"

    def _expression(self, v: Value) -> str:
        op = v.op
        if op == "where":
            a, b = self.value(v.args[1]), self.value(v.args[2])
            return f"tl.where({self.truth(v.args[0])}, {a}, {b})"
        if op == "fill":  # of the shape of its operand, which may not be a number
            x = self.value(v.args[0])
            return f"tl.where({x} == {x}, {self.constant(v.host)}, {self.constant(v.host)}).to({self.kind})"
        x = self.value(v.args[0])
        other = self.constant(v.host) if v.host is not None else None
        if op.removesuffix("_host") in _COMPARE:
            self.truths.add(id(v))
            return f"{x} {_COMPARE[op.removesuffix('_host')]} {other or self.value(v.args[1])}"
        if op in _BINARY:
            return f"{x} {_BINARY[op]} {self.value(v.args[1])}"
        match op:
            case "scale":
                return f"{x} * {other}"
            case "add_host":
                return f"{x} + {other}"
            case "div":
                return self.divided(x, self.value(v.args[1]))
            case "reciprocal":
                return self.divided(self._one(), x)
            case "sqrt":
                return self.root(x)
            case "exp" | "log":
                return f"tl.{op}({x})"
            case "abs" | "norm":  # the norm of a number
                return f"tl.abs({x})"
            case "mean":
                return x
            case "sign":
                return f"tl.where({x} > 0, 1.0, tl.where({x} < 0, -1.0, 0.0)).to({self.kind})"
            case "maximum" | "minimum" | "maximum_host" | "minimum_host":
                other = other or self.value(v.args[1])
                return f"tl.{op.removesuffix('_host')}({x}, {other}, propagate_nan=tl.PropagateNan.ALL)"
            case "lerp":
                return self._lerp(x, self.value(v.args[1]), other or "")
            case "pow":
                return self._power(x, v.host, other or "")
        raise NotImplementedError(f"no kernel for {op}")

    def _lerp(self, a: str, b: str, t: str) -> str:
        """A + t (b − a), from whichever end is nearer, as torch does: exact at t = 1."""
        near = self.text.new(f"{t} < 0.5")
        share = self.text.new(f"tl.where({near}, {t}, {t} - 1.0).to({self.kind})")
        return f"tl.where({near}, {a}, {b}) + {share} * ({b} - {a})"

    def _power(self, x: str, host: Host | None, exponent: str) -> str:
        known = host.number if host is not None else None
        if known in (0.5, -0.5):
            root = self.text.new(self.root(x))
            return root if known == 0.5 else self.divided(self._one(), root)
        # In double, where 2^(p log₂|x|) has all digits of a float32; a negative base has integer powers.
        new, wide = self.text.new, self.text.new(f"{x}.to(tl.float64)")
        p = new(f"({exponent}).to(tl.float64)" if known is None else f"tl.full((), {known!r}, tl.float64)")
        size = new(f"tl.where({p} == 0, 1.0, tl.exp2({p} * tl.log2(tl.abs({wide}))))")
        odd = new(f"{p} - 2.0 * tl.floor({p} * 0.5)")  # 1, or 0 where it is even
        sign = new(f'tl.where({odd} == 0, 1.0, tl.where({odd} == 1, -1.0, float("nan")))')
        return f"tl.where({wide} < 0, {sign} * {size}, {size}).to({self.kind})"
