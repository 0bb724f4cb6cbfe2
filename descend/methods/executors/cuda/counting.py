"""Steps counted on the device, and what follows from the count there: the host's part, as a kernel.

A CUDA graph replays launches with the numbers that they were given when it was captured. What changes from
step to step has to be computed by what is replayed: the step count of each tensor, the host scalars of the
equations, in double as the host has them, and the words that noise begins with.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from descend.methods.executors.cuda.words import Text
from descend.methods.executors.cuda.writing import BLOCK, Function, Writer
from descend.parameters import noise

KINDS = {torch.float32: "tl.float32", torch.float64: "tl.float64"}
"""The dtypes of hyperparameters that lie on the device."""


def references(expression: str) -> list[str]:
    """Return the hyperparameters that an expression over ``h`` and ``step`` names, as it names them."""
    if not expression:
        return []
    found: list[str] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.Subscript):
            found.append(ast.unparse(node))
        else:
            for child in ast.iter_child_nodes(node):
                visit(child)

    visit(ast.parse(expression, mode="eval"))
    return list(dict.fromkeys(found))


def kinds(names: list[str], tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return, for each hyperparameter, how it lies on the device; ``""`` where it is a plain number."""
    return tuple([KINDS[tensors[name].dtype] if name in tensors else "" for name in names])


class Counts(Writer):
    """Counts the step of each tensor and computes its host scalars; many tensors side by side."""

    def function(self) -> Function:
        """Return the kernel."""
        text, kernels, n = self.text, self.kernels, self.parameter("n")
        text.do(f"t = (tl.program_id(0) * {BLOCK} + tl.arange(0, {BLOCK})).to(tl.int64)")
        text.do(f"inside = t < {n}")
        text.do(f"at = {self.entry(kernels.count, 't', 'inside')}.to(tl.pointer_type(tl.int64))")
        text.do("count = tl.load(at, mask=inside, other=0) + 1")
        text.do("tl.store(at, count, mask=inside)")
        text.do("step = count.to(tl.float64)")
        known: dict[str, str] = {}

        def hyperparameter(name: str) -> str:
            if name not in known:
                known[name] = self._hyperparameter(name)
            return known[name]

        columns = len(kernels.hosts)
        for expression, k in kernels.hosts.items():
            x = written(text, expression, hyperparameter)
            place = f"{self.address('numbers')} + (t * {columns} + {k})"
            text.do(f"tl.store({place}, {x} + tl.zeros(({BLOCK},), tl.float64), mask=inside)")
        if kernels.forms:
            word = self._noise()
            text.do(f"tl.store({self.address('noises', 'tl.int64')} + t, {word}, mask=inside)")
        return self.finished("counts", "blocks")

    def _hyperparameter(self, name: str) -> str:
        """Load a hyperparameter: a word of the launch, or a number on the device."""
        k = self.kernels.hyperparameters.index(name)
        assert self.variant.counted is not None
        kind = self.variant.counted[k]
        if kind:
            return self.text.new(f"tl.load({self.address(f'q{k}', kind)}).to(tl.float64)")
        return self.text.new(f"{self.parameter(f'q{k}')}.to(tl.int64).to(tl.float64, bitcast=True)")

    def _noise(self) -> str:
        """Write both words of a step's noise in one of 64 bits, as :func:`.noise.base_word`."""
        new = self.text.new
        x = new(f"{self.parameter('noise')}.to(tl.uint64) + count.to(tl.uint64) * {noise.STEP}")
        x = new(f"({x} ^ ({x} >> 30)) * {noise.THIRD}")
        x = new(f"({x} ^ ({x} >> 27)) * {noise.FOURTH}")
        return new(f"({x} ^ ({x} >> 31)).to(tl.int64)")


# Expressions ----------------------------------------------------------------------------------------
_OPERATORS: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def written(text: Text, expression: str, hyperparameter: Callable[[str], str]) -> str:
    """Write an expression of :class:`descend.methods.trace.Host` in double, and return its name.

    Args:
        text: the function, in which ``step`` has a name.
        expression: over ``h``, ``step`` and ``math``, in Python.
        hyperparameter: the name of a hyperparameter, from how the expression names it.
    """

    def number(x: float) -> str:
        return text.new(f'tl.full((), float("{x!r}"), tl.float64)')

    def choice(condition: str) -> str:
        return text.new(f"tl.where({condition}, {number(1.0)}, {number(0.0)})")

    def of(node: Any) -> str:
        match node:
            case ast.Expression():
                return of(node.body)
            case ast.Constant(value=int() | float() as value):
                return number(float(value))
            case ast.Name(id="step"):
                return "step"
            case ast.Subscript():
                return hyperparameter(ast.unparse(node))
            case ast.UnaryOp(op=ast.USub()):
                return text.new(f"-{of(node.operand)}")
            case ast.BinOp(op=ast.Pow()):
                return _power(text, of(node.left), of(node.right))
            case ast.BinOp(op=ast.Mod()):
                a, b = of(node.left), of(node.right)
                rest = text.new(f"{a} % {b}")  # with the sign of a, where Python's has that of b
                return text.new(
                    f"tl.where(({rest} != 0.0) & (({rest} < 0.0) != ({b} < 0.0)), {rest} + {b}, {rest})"
                )
            case ast.BinOp() if type(node.op) in _OPERATORS:
                return text.new(f"{of(node.left)} {_OPERATORS[type(node.op)]} {of(node.right)}")
            case ast.Compare(ops=[op]):
                return choice(f"{of(node.left)} {_COMPARISONS[type(op)]} {of(node.comparators[0])}")
            case ast.IfExp():
                return text.new(f"tl.where({of(node.test)} != 0.0, {of(node.body)}, {of(node.orelse)})")
            case ast.Call():
                return _call(text, ast.unparse(node.func), [of(x) for x in node.args])
        raise NotImplementedError(f"no kernel for {ast.unparse(node)}")

    return of(ast.parse(expression, mode="eval"))


def _power(text: Text, a: str, b: str) -> str:
    """A to the b, for a ≥ 0: as exp(b log a), whose absolute error is below 2⁻⁵² wherever a < 1."""
    power = text.new(f"tl.exp({b} * tl.log({a}))")
    return text.new(f"tl.where({b} == 0.0, 1.0, {power})")


def _call(text: Text, function: str, args: list[str]) -> str:
    if function in ("max", "min"):
        name = "tl.maximum" if function == "max" else "tl.minimum"
        found = args[0]
        for x in args[1:]:
            found = text.new(f"{name}({found}, {x})")
        return found
    known = {"math.sqrt": "tl.sqrt", "math.exp": "tl.exp", "math.log": "tl.log", "abs": "tl.abs"}
    if function not in known or len(args) != 1:
        raise NotImplementedError(f"no kernel for {function}")
    return text.new(f"{known[function]}({args[0]})")
