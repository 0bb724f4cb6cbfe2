"""A function written as one line: ``y = b1*(1 - exp(-b2*x))``.

Names of columns are inputs, all other names are parameters. Only arithmetic and the functions below are read,
nothing is run that the line does not say. Names are what Python's are, in any script, and its own words too:
``lambda`` is a parameter.
"""

import ast
import keyword
import math
import operator
import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError, nearest

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exp": torch.exp,
    "log": torch.log,
    "log10": torch.log10,
    "log2": torch.log2,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "arcsin": torch.asin,
    "arccos": torch.acos,
    "arctan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "erf": torch.erf,
}
"""The functions that a formula may call; ``ln``, ``asin``, ``acos`` and ``atan`` are other names."""

_OTHER_NAMES = {"ln": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_CONSTANTS = {"pi": math.pi}
_OPERATIONS: dict[type[ast.operator], Callable[[float, float], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_BRACKETS = {"[": "(", "]": ")", "{": "(", "}": ")"}
_PRINTED = {"^": "**", "\u2212": "-", "×": "*", "·": "*", "⋅": "*", "÷": "/", "²": "**2", "³": "**3"}
_SIGNS = _BRACKETS | _PRINTED
"""Signs that mean others: what books print, and a minus that is no hyphen."""
_WORDS = sorted(set(keyword.kwlist) - {"True", "False", "None"})
_WORD, _MARK = re.compile(rf"\b({'|'.join(_WORDS)})\b"), "ǃ"
"""Python's own words, which are names here: a letter that nobody writes marks them for its parser."""


class Formula:
    """One line of arithmetic.

    Args:
        text: such as ``"y = a*exp(-b*x) + c"`` or ``"a*exp(-b*x) + c"``; ``^`` is a power too, and brackets
            may be square. The left side may be a function of a column: ``log(y) = ...``. ``pi`` is a number
            unless a column is called so; ``e`` is a name like any other.
        columns: names that are inputs; the others are parameters.

    Attributes:
        text: as it was given.
        parameters: their names, in the order of the line.
        inputs: the columns it uses, in the order of the line.
        left: the left side, ``None`` where there is none.
        targets: the columns in it.

    Raises:
        UsageError: where the line is no arithmetic, calls what is no function of :data:`FUNCTIONS`, has no
            column or a parameter on its left side, or needs a column whose name cannot be written in it.

    Example:
        >>> f = Formula("y = a*exp(-b*x)", columns=["x", "y"])
        >>> f.parameters, f.inputs, f.left
        (('a', 'b'), ('x',), 'y')
        >>> f({"a": torch.tensor(2.0), "b": torch.tensor(0.0), "x": torch.tensor([1.0, 2.0])})
        tensor([2., 2.])
    """

    def __init__(self, text: str, columns: Collection[str]):
        self.text = text
        for column in columns:
            read_otherwise = not _writable(column) and re.match(r"[^\W\d]", column)
            if read_otherwise and re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text):
                raise UsageError(
                    "columns whose names can stand in a formula: letters, digits and _",
                    repr(column),
                    "rename it in the file",
                )
        known = {plain_name(column): column for column in columns if _writable(column)}
        left, equals, right = text.partition("=")
        self._code, names = _read(right if equals else left, text, known)
        self.left = left.strip() if equals else None
        self._left_code, left_names = _read(left, text, known) if equals else (None, ())
        self.inputs = tuple(name for name in names if name in columns)
        self.parameters = tuple(name for name in names if name not in columns)
        self.targets = tuple(name for name in left_names if name in columns)
        unknown = [name for name in left_names if name not in columns]
        if equals and (unknown or not self.targets):
            raise UsageError(
                "a column on the left side of the formula",
                repr(unknown[0] if unknown else self.left),
                nearest(unknown[0] if unknown else left, list(columns)),
            )

    def __call__(self, values: Mapping[str, Any]) -> Tensor:
        """Return the right side at values by name."""
        return eval(self._code, {"__builtins__": {}, **_NAMES}, dict(values))

    def target(self, values: Mapping[str, Any]) -> Tensor:
        """Return the left side at columns by name."""
        assert self._left_code is not None
        return eval(self._left_code, {"__builtins__": {}, **_NAMES}, dict(values))


_NAMES = {f"{name}()": function for name, function in FUNCTIONS.items()}
"""Functions by names that no column can have."""


def plain_name(name: str) -> str:
    """Return a name as a formula knows it, in Unicode's normal form, as Python does.

    Example:
        >>> plain_name("ﬁt"), plain_name("micro µ") == "micro μ"
        ('fit', True)
    """
    return unicodedata.normalize("NFKC", name)


def _writable(column: str) -> bool:
    """Whether a column's name can stand in a formula."""
    return column.isidentifier() and not column.startswith("__") and not any(s in column for s in _SIGNS)


def _read(side: str, text: str, columns: Mapping[str, str]) -> tuple[Any, tuple[str, ...]]:
    """Return one side as code, with the names in it; ``columns`` are by their plain names."""
    plain = " ".join(side.split())
    for sign, meant in _SIGNS.items():
        plain = plain.replace(sign, meant)
    plain = _WORD.sub(rf"{_MARK}\1", plain)
    names: list[str] = []
    try:
        if "#" in plain or "\\" in plain:  # Python would leave out what follows
            raise SyntaxError
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of 2if and the like, which are refused anyway
            tree = ast.parse(plain, mode="eval")
        tree = ast.fix_missing_locations(ast.Expression(_checked(tree.body, names, columns)))
        return compile(tree, "<formula>", "eval"), tuple(dict.fromkeys(names))
    except SyntaxError as error:
        at = error.offset
        where = f" near {plain[max(0, at - 6) : at + 6].replace(_MARK, '')!r}" if at else ""
        raise UsageError(
            "a formula such as y = a*exp(-b*x) + c", f"{_short(text)}{where}", "mend it"
        ) from None
    except (RecursionError, MemoryError):
        raise UsageError("a formula of some hundred terms at most", _short(text), "shorten it") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}...")


def _checked(node: ast.expr, names: list[str], columns: Mapping[str, str]) -> ast.expr:
    """Return an expression that holds nothing but arithmetic, numbers worked out; note the names it uses."""
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return _number(node, float, node.value)
        case ast.Name(id=written):
            return _name(written.removeprefix(_MARK), names, columns)
        case ast.BinOp(left, op, right) if type(op) in _OPERATIONS:
            a, b = _checked(left, names, columns), _checked(right, names, columns)
            if isinstance(a, ast.Constant) and isinstance(b, ast.Constant):
                return _number(node, _OPERATIONS[type(op)], a.value, b.value)
            return ast.BinOp(a, op, b)
        case ast.UnaryOp(ast.USub() | ast.UAdd() as op, operand):
            a = _checked(operand, names, columns)
            if isinstance(a, ast.Constant):
                return _number(node, operator.neg if isinstance(op, ast.USub) else operator.pos, a.value)
            return ast.UnaryOp(op, a)
        case ast.Call(ast.Name(id=name), [argument], []) if not isinstance(argument, ast.Starred):
            known = _OTHER_NAMES.get(name, name)
            if known not in FUNCTIONS:
                raise UsageError("a function that formulas know", name, nearest(name, list(FUNCTIONS)))
            a = _checked(argument, names, columns)
            if isinstance(a, ast.Constant):
                return _number(node, lambda x: _in_double(known, x), a.value)
            return ast.Call(ast.Name(f"{known}()", ast.Load()), [a], [])
    raise UsageError(
        "numbers, names, + - * / ** and functions in a formula",
        _short(ast.unparse(node).replace(_MARK, "")),
        "write it with these",
    )


def _name(written: str, names: list[str], columns: Mapping[str, str]) -> ast.expr:
    """Return a name, or the number that it stands for."""
    name = columns.get(written, written)
    if written not in columns:
        if name in _CONSTANTS:
            return ast.Constant(_CONSTANTS[name])
        if name in FUNCTIONS or name in _OTHER_NAMES:
            raise UsageError(f"brackets after the function {name}", "none", f"write {name}(...)")
        if name.startswith("__"):
            raise UsageError("names that begin with a letter", name, "choose another")
    names.append(name)
    return ast.Name(name, ast.Load())


def _in_double(function: str, x: float) -> float:
    return FUNCTIONS[function](torch.tensor(x, dtype=torch.float64)).item()


def _number(node: ast.expr, operation: Callable[..., Any], *parts: Any) -> ast.Constant:
    """Return what a part without names is worth: an operation on numbers."""
    try:
        found = operation(*parts)
    except (OverflowError, ZeroDivisionError):
        found = math.nan
    if not (isinstance(found, float) and math.isfinite(found)):
        raise UsageError("real and finite numbers in a formula", _short(ast.unparse(node)), "mend it")
    return ast.Constant(found)
