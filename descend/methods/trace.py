"""Writing a rule down: run once on symbols, it leaves a graph.

Two kinds of symbol keep two kinds of arithmetic apart:

* :class:`Host`: what depends on hyperparameters and the step count alone. It is folded on the host, in
  double, once a tensor and step. A rule may branch on it: the graph is then that of the branches taken,
  and :class:`Path` says for which hyperparameters and steps it holds.
* :class:`Value`: tensors. Equal expressions become one node, and factors that are host scalars are
  gathered in front (``lr * (m / c) / d`` becomes ``(lr / c) · (m / d)``), so that what is left maps onto
  few passes over memory.

A ``total`` (a sum over all parameters) cuts the graph: nothing after it can start before every tensor
has contributed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from descend.methods.rule import Kept, Rule


class Path:
    """The branches that a rule takes under these hyperparameters in this step.

    Args:
        hyperparameters: by torch's names.
        step: the parameter's own count.
    """

    def __init__(self, hyperparameters: Mapping[str, Any], step: int):
        self._scope = {"h": hyperparameters, "step": step, "math": math}
        self._taken: dict[str, bool] = {}

    def decide(self, condition: str) -> bool:
        """Return which branch is taken, and remember it."""
        if condition not in self._taken:
            self._taken[condition] = bool(eval(condition, self._scope))
        return self._taken[condition]

    def condition(self) -> str:
        """Return what must hold for the same branches to be taken, in Python."""
        parts = [text if taken else f"not {text}" for text, taken in self._taken.items()]
        return " and ".join(parts) or "True"


class Host:
    """A host scalar: an expression over hyperparameters ``h``, the step count and numbers.

    Attributes:
        text: the expression, in Python, over the names ``h``, ``step`` and ``math``.
        number: its value where it is a plain number.
    """

    def __init__(self, text: str, path: Path | None, *, number: float | None = None):
        self.text, self.path, self.number = text, path, number

    @staticmethod
    def of(x: Any) -> Host:
        """Return a number as a host scalar."""
        if isinstance(x, Host):
            return x
        return Host(repr(float(x)), None, number=float(x))

    def _with(self, op: str, other: Any, swapped: bool = False) -> Any:
        if isinstance(other, Value):
            return NotImplemented
        a, b = (Host.of(other), self) if swapped else (self, Host.of(other))
        if op == "*" and a.number == 1.0:
            return b
        if op in "*/" and b.number == 1.0:
            return a
        return Host(f"({a.text} {op} {b.text})", a.path or b.path)

    def __add__(self, o: Any) -> Any:
        return self._with("+", o)

    def __radd__(self, o: Any) -> Any:
        return self._with("+", o, True)

    def __sub__(self, o: Any) -> Any:
        return self._with("-", o)

    def __rsub__(self, o: Any) -> Any:
        return self._with("-", o, True)

    def __mul__(self, o: Any) -> Any:
        return self._with("*", o)

    def __rmul__(self, o: Any) -> Any:
        return self._with("*", o, True)

    def __truediv__(self, o: Any) -> Any:
        return self._with("/", o)

    def __rtruediv__(self, o: Any) -> Any:
        return self._with("/", o, True)

    def __pow__(self, o: Any) -> Any:
        return self._with("**", o)

    def __rpow__(self, o: Any) -> Any:
        return self._with("**", o, True)

    def __mod__(self, o: Any) -> Any:
        return self._with("%", o)

    def __neg__(self) -> Host:
        return Host(f"(-{self.text})", self.path)

    def __eq__(self, o: object) -> Any:
        return self._with("==", o)

    def __lt__(self, o: Any) -> Any:
        return self._with("<", o)

    def __le__(self, o: Any) -> Any:
        return self._with("<=", o)

    def __gt__(self, o: Any) -> Any:
        return self._with(">", o)

    def __ge__(self, o: Any) -> Any:
        return self._with(">=", o)

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        return bool(self.number) if self.path is None else self.path.decide(self.text)


_HOST = {
    "sqrt": "math.sqrt({})",
    "exp": "math.exp({})",
    "log": "math.log({})",
    "abs": "abs({})",
    "sign": "(({0} > 0) - ({0} < 0))",
    "maximum": "max({}, {})",
    "minimum": "min({}, {})",
    "where": "({1} if {0} else {2})",
    "lerp": "({0} + {2} * ({1} - {0}))",
}


def host_apply(op: str, *args: Any) -> Host:
    """Apply a word of :mod:`.equations` to host scalars."""
    hosts = [Host.of(a) for a in args]
    return Host(_HOST[op].format(*[a.text for a in hosts]), next((a.path for a in hosts if a.path), None))


class Value:
    """A tensor in the graph.

    Attributes:
        op: ``input`` or the operation that makes it.
        args: its tensor operands.
        host: its host scalar operand (a factor, an addend, a weight).
        name: of an input.
    """

    __slots__ = ("args", "graph", "host", "name", "op")

    def __init__(self, graph: Graph, op: str, args: tuple[Value, ...], host: Host | None, name: str = ""):
        self.graph, self.op, self.args, self.host, self.name = graph, op, args, host, name

    # Sums ---------------------------------------------------------------------------------------
    def __add__(self, o: Any) -> Value:
        if isinstance(o, Value):
            return self.graph.node("add", (self, o))
        return self.graph.node("add_host", (self,), Host.of(o))

    __radd__ = __add__

    def __sub__(self, o: Any) -> Value:
        return self + (-o)

    def __rsub__(self, o: Any) -> Value:
        return (-self) + o

    def __neg__(self) -> Value:
        return self * -1.0

    # Products: host factors gather in front -----------------------------------------------------
    def _parts(self) -> tuple[Host, Value]:
        if self.op == "scale":
            assert self.host is not None
            return self.host, self.args[0]
        return Host.of(1.0), self

    def _scaled(self, c: Host) -> Value:
        if c.number == 1.0:
            return self
        return self.graph.node("scale", (self,), c)

    def __mul__(self, o: Any) -> Value:
        a, x = self._parts()
        if not isinstance(o, Value):
            return x._scaled(Host.of(o) * a)
        b, y = o._parts()
        return self.graph.node("mul", (x, y))._scaled(a * b)

    __rmul__ = __mul__

    def __truediv__(self, o: Any) -> Value:
        a, x = self._parts()
        if not isinstance(o, Value):
            return x._scaled(a / Host.of(o))
        b, y = o._parts()
        return self.graph.node("div", (x, y))._scaled(a / b)

    def __rtruediv__(self, o: Any) -> Value:
        a, x = self._parts()
        return self.graph.node("reciprocal", (x,))._scaled(Host.of(o) / a)

    def __pow__(self, o: Any) -> Value:
        if isinstance(o, int | float) and o == 2:
            return self * self
        return self.graph.node("pow", (self,), Host.of(o))

    # Comparisons --------------------------------------------------------------------------------
    def __gt__(self, o: Any) -> Value:
        return apply("gt", self, o)

    def __ge__(self, o: Any) -> Value:
        return apply("ge", self, o)

    def __lt__(self, o: Any) -> Value:
        return apply("lt", self, o)

    def __le__(self, o: Any) -> Value:
        return apply("le", self, o)

    def __bool__(self) -> bool:
        raise TypeError("a rule cannot branch on a tensor's value: write where(condition, a, b)")


def apply(op: str, *args: Any) -> Any:
    """Apply a word of :mod:`.equations`: tensors become operands, one number the host operand."""
    graph = next(a.graph for a in args if isinstance(a, Value))
    if op == "total":
        return graph.total(args[0])
    if op == "lerp":
        a, b, t = args
        if not isinstance(t, Value) and isinstance(a, Value) and isinstance(b, Value):
            return graph.node("lerp", (a, b), Host.of(t))
        return a + t * (b - a)
    if op == "where":
        condition, a, b = args
        if not isinstance(condition, Value):
            return a if condition else b
        if not isinstance(a, Value) and not isinstance(b, Value):
            raise TypeError("where() on a tensor's values needs a tensor to choose")
        return graph.node("where", (condition, _lift(condition, a), _lift(condition, b)))
    tensors = tuple(a for a in args if isinstance(a, Value))
    hosts = [Host.of(a) for a in args if not isinstance(a, Value)]
    first = isinstance(args[0], Value) or op in ("maximum", "minimum")
    if len(hosts) > 1 or (hosts and not first):
        raise TypeError(f"{op} takes a tensor first and at most one number after it")
    return graph.node(f"{op}_host" if hosts else op, tensors, hosts[0] if hosts else None)


def apply_whole(kind: str, function: Callable[..., Any], *args: Any) -> Value:
    """Apply an opaque function of whole tensors; numbers come after the tensors.

    Args:
        kind: ``whole``, or ``reduce`` where the result is one number a tensor.
        function: the function.
        *args: its arguments.
    """
    tensors = tuple(a for a in args if isinstance(a, Value))
    hosts = [Host.of(a) for a in args[len(tensors) :]]
    functions = tensors[0].graph.functions
    if function not in functions:
        functions.append(function)
    host = Host(f"({''.join(f'{a.text}, ' for a in hosts)})", None)
    return tensors[0].graph.node(f"{kind}{functions.index(function)}", tensors, host)


def _lift(like: Value, x: Any) -> Value:
    return x if isinstance(x, Value) else like.graph.node("fill", (like,), Host.of(x))


class Graph:
    """What a rule computes.

    Attributes:
        path: for which hyperparameters and steps this is what it computes.
        kept: what it keeps, by name.
        outputs: ``w`` and every kept quantity → the value after the step, in the rule's own order.
        totals: the sums over all parameters, in the rule's own order.
        functions: the opaque functions of whole tensors; operations ``whole0`` and ``reduce0`` are the first.
    """

    def __init__(self, path: Path, kept: Mapping[str, Kept]) -> None:
        self._nodes: dict[tuple[Any, ...], Value] = {}
        self.path, self.kept = path, kept
        self.outputs: dict[str, Value] = {}
        self.totals: list[Value] = []
        self.functions: list[Callable[..., Any]] = []

    def input(self, name: str) -> Value:
        """Return the input of this name: ``w``, ``g``, or a kept quantity before the step."""
        return self._unique(("input", name), Value(self, "input", (), None, name))

    def node(self, op: str, args: tuple[Value, ...], host: Host | None = None) -> Value:
        """Return the one node for this operation on these operands."""
        key = (op, tuple(id(a) for a in args), host.text if host is not None else None)
        return self._unique(key, Value(self, op, args, host))

    def _unique(self, key: tuple[Any, ...], value: Value) -> Value:
        return self._nodes.setdefault(key, value)

    def total(self, x: Value) -> Value:
        """Return a new total.

        Equal ones stay apart and unused ones stay: programs that run side by side meet at every total,
        and count them.
        """
        self.totals.append(Value(self, "total", (x,), None))
        return self.totals[-1]

    def nodes(self) -> list[Value]:
        """Return every node that is needed, operands before what uses them."""
        done: dict[int, Value] = {}

        def visit(v: Value) -> None:
            if id(v) in done:
                return
            for a in v.args:
                visit(a)
            done[id(v)] = v

        for v in [*self.totals, *self.outputs.values()]:
            visit(v)
        return list(done.values())


class _Symbols:
    """The ``s`` of a rule while it is traced."""

    _values: dict[str, Value]
    _assigned: dict[str, Value]
    step: Host
    form: str | None

    def __init__(self, graph: Graph, form: str | None):
        object.__setattr__(self, "_values", {name: graph.input(name) for name in graph.kept})
        object.__setattr__(self, "_assigned", {})
        object.__setattr__(self, "step", Host("step", graph.path))
        object.__setattr__(self, "form", form)

    def __getattr__(self, name: str) -> Value:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the rule does not declare that it keeps {name}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        before = getattr(self, name)
        self._values[name] = self._assigned[name] = _lift(before, value)


class _Hyperparameters:
    """The ``h`` of a rule while it is traced: numbers are symbols, flags and names are branches."""

    def __init__(self, values: Mapping[str, Any], path: Path):
        self._values, self._path = values, path

    def __getattr__(self, name: str) -> Any:
        return self._symbol(self._values[name], f"h[{name!r}]")

    def _symbol(self, value: Any, text: str) -> Any:
        if isinstance(value, bool):
            return self._path.decide(text)
        if isinstance(value, int | float):
            return Host(text, self._path)
        if isinstance(value, tuple | list):
            return tuple(self._symbol(x, f"{text}[{i}]") for i, x in enumerate(value))
        if value is not None and not isinstance(value, str):
            raise TypeError(f"a hyperparameter is a number, numbers, a flag or a name, not {value!r}")
        self._path.decide(f"({text} == {value!r})")
        return value


def trace(rule: Rule, hyperparameters: Mapping[str, Any], step: int = 1, form: str | None = None) -> Graph:
    """Run a rule once on symbols.

    Args:
        rule: the rule.
        hyperparameters: by torch's names; they and the step decide only which branches are taken.
        step: the parameter's own count.
        form: the form of the parameters.

    Raises:
        TypeError: where the rule branches on a tensor.
    """
    path = Path(hyperparameters, step)
    for kept in rule.kept.values():
        if kept.only_if is not None:
            path.decide(kept.condition)
    graph = Graph(path, rule.keeps(hyperparameters, form))
    s, w = _Symbols(graph, form), graph.input("w")
    new = _lift(w, rule.equations(w, graph.input("g"), s, _Hyperparameters(hyperparameters, path)))
    # What is not assigned stays: being an output keeps its memory from being used for something else.
    unchanged = {name: graph.input(name) for name in graph.kept if name not in s._assigned}
    graph.outputs = {**s._assigned, **unchanged, "w": new}
    return graph
