"""From a rule's graph to a short program over lists of tensors.

The graph is translated into ``torch._foreach_*`` calls, one call for all tensors: products and
quotients that are added fuse into ``addcmul``/``addcdiv``, and a buffer whose old value nobody needs any
more is written in place. AdamW comes out as the eight calls that one would write by hand.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from descend.methods.equations import share
from descend.methods.executors.stages import ALL, ELEMENT, REDUCTIONS, TENSOR, level_of_input, levels
from descend.methods.stacks import over
from descend.methods.trace import Graph, Host, Value

_UNARY = {"sqrt", "exp", "log", "abs", "sign", "reciprocal"}
_BINARY = {"mul", "div", "maximum", "minimum"}
_WITH_HOST = {
    "scale": "mul",
    "add_host": "add",
    "maximum_host": "clamp_min",
    "minimum_host": "clamp_max",
    "pow": "pow",
}
_COMMUTES = {"mul", "maximum", "minimum", "add"}
_COMPARISONS = {"gt", "ge", "lt", "le"}
_REACHING = (*REDUCTIONS, "whole", "reduce")


class Program:
    """One compiled rule, for one path through its branches.

    Attributes:
        source: the Python text, for reading.
        cuts: whether it holds totals; then it is a generator that yields its tensors' share of each.
        holds: whether these hyperparameters and this step take its path.
        constants: the host scalars, from hyperparameters and step.
        step: takes the step, from the lists of tensors and the constants.
        reaches: whether a number depends on other elements than its own.

    Args:
        graph: what the rule computes.
        writer: writes it down; another one for parts of tensors (:mod:`.sharded`).
    """

    def __init__(self, graph: Graph, writer: "Callable[[Graph], _Writer] | None" = None):
        writing = (writer or _Writer)(graph)
        self.source = writing.source()
        self.cuts = writing.cuts
        self.reaches = any(v.op.startswith(_REACHING) for v in graph.nodes())
        scope: dict[str, Any] = {"torch": torch, "math": math, "share": share, "in_stacks": over}
        for i, function in enumerate(graph.functions):
            scope[f"whole{i}"] = scope[f"reduce{i}"] = function
        exec(compile(self.source, "<descend rule>", "exec"), scope)
        self.holds, self.constants, self.step = scope["holds"], scope["constants"], scope["step"]


class _Writer:
    """Chooses the calls, in an order and in place where it can."""

    parameters = ""  # of a step, beside the tensors and the constants

    def __init__(self, graph: Graph):
        self.graph = graph
        self.lines: list[str] = []
        self.hosts: dict[str, str] = {}
        self.names: dict[int, str] = {}
        self.owned: dict[int, bool] = {}  # may this node's buffer be overwritten once it is dead?
        self.left: dict[int, int] = {}
        # A variable of the program is a list with one entry a tensor, or, of reach ALL, one entry alone.
        self.levels = levels(graph)
        self.cuts = False
        self._count_uses()
        self._write()

    # What is used how often -----------------------------------------------------------------------
    def _count_uses(self) -> None:
        for v in self.graph.nodes():
            for a in v.args:
                self.left[id(a)] = self.left.get(id(a), 0) + 1
        for v in self.graph.outputs.values():
            self.left[id(v)] = self.left.get(id(v), 0) + 1  # an output stays alive to the end

    def _level(self, v: Value) -> int:
        return self.levels[id(v)]

    def _single(self, v: Value) -> bool:
        return self.left[id(v)] == 1 and id(v) not in self.names

    def _host(self, host: Host | None) -> str:
        assert host is not None
        return self.hosts.setdefault(host.text, f"c{len(self.hosts)}")

    # Writing -------------------------------------------------------------------------------------
    def _take(self, *values: Value) -> None:
        """Have values in variables, and count one use of each as done."""
        for v in values:
            self._emit(v)
        # Counted afterwards: an operand must outlive the making of the others.
        for v in values:
            self.left[id(v)] -= 1

    def _free(self, v: Value) -> bool:
        """Whether the buffer of ``v``, just taken, may be overwritten."""
        return self.left[id(v)] == 0 and self.owned[id(v)]

    def _operand(self, a: Value, level: int) -> str:
        """Name ``a`` as an operand of something of this level: a list of the same length."""
        name = self.names[id(a)]
        return f"{name} * len(w)" if self._level(a) == ALL != level else name

    def _name(self, v: Value, expression: str, owned: bool = True) -> None:
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {expression}")
        self.names[id(v)], self.owned[id(v)] = name, owned

    def _call(self, v: Value, function: str, args: Sequence[Value], host: str = "") -> None:
        """Write one call on operands that are taken already, in place on the first if it may be."""
        base, level = args[0], self._level(v)
        arguments = ", ".join([*(self._operand(a, level) for a in args), *([host] if host else [])])
        if self._free(base) and self._level(base) == level:
            self.lines.append(f"torch._foreach_{function}_({arguments})")
            self.names[id(v)], self.owned[id(v)] = self.names[id(base)], True
        else:
            self._name(v, f"torch._foreach_{function}({arguments})")

    def _loop(self, v: Value, function: str, host: str = "", owned: bool = True) -> None:
        """Write an operation that has no foreach form, tensor by tensor; its operands are taken already."""
        xs = ", ".join(f"x{i}" for i in range(len(v.args)))
        operands = ", ".join(self._operand(a, self._level(v)) for a in v.args)
        call = f"{function}({xs}, {host})" if host else f"{function}({xs})"
        self._name(v, f"[{call} for {xs}, in zip({operands})]", owned)

    def _emit(self, v: Value) -> None:
        if id(v) in self.names:
            return
        if v.op == "input":
            self.names[id(v)] = _variable(v.name)
            self.owned[id(v)] = v.name != "g"  # a gradient belongs to the user
        elif v.op == "add":
            self._emit_sum(v)
        elif v.op in _BINARY:
            self._emit_binary(v, v.op)
        elif v.op == "mean" and self._is_square(v.args[0]):
            self._emit_mean_square(v)
        else:
            self._take(*v.args)
            self._emit_other(v)

    def _is_square(self, v: Value) -> bool:
        """Whether ``v`` is x · x, that nothing else needs, of an x with a value an element."""
        return v.op == "mul" and v.args[0] is v.args[1] and self._single(v) and self._level(v) == ELEMENT

    def _emit_mean_square(self, v: Value) -> None:
        """A norm needs no place for the squares."""
        squared = v.args[0].args
        self._take(*squared)
        x = self.names[id(squared[0])]
        self._name(v, f"torch._foreach_norm({x})")
        name = self.names[id(v)]
        self.lines.append(f"torch._foreach_mul_({name}, {name})")
        self.lines.append(f"torch._foreach_div_({name}, [float(x.numel()) for x in {x}])")

    def _function(self, v: Value) -> Callable[..., Any]:
        """Return the function of whole tensors that makes ``v``."""
        return self.graph.functions[int(v.op.removeprefix("whole").removeprefix("reduce"))]

    def _emit_other(self, v: Value) -> None:
        host = self._host(v.host) if v.host is not None else ""
        name = self.names[id(v.args[0])]
        if v.op in _UNARY:
            self._call(v, v.op, v.args)
        elif v.op in _WITH_HOST:
            self._call(v, _WITH_HOST[v.op], v.args, host)
        elif v.op == "lerp":
            self._call(v, "lerp", v.args, host)
        elif v.op == "norm":
            self._name(v, f"torch._foreach_norm({name})")
        elif v.op == "total":
            self.cuts = True
            name = self._operand(v.args[0], TENSOR)  # what is one for all counts once a tensor
            # One tensor that all programs share: not to be overwritten.
            self._name(v, f"[(yield torch.stack([share(x) for x in {name}]).sum())]", owned=False)
        elif v.op == "fill":
            self._name(v, f"[torch.full_like(x, {host}, dtype=w[0].dtype) for x in {name}]")
        elif v.op.startswith(("whole", "reduce")):
            in_place = hasattr(self._function(v), "in_place") and self._free(v.args[0])
            if len(v.args) == 1 and hasattr(self._function(v), "batched"):  # takes the whole list
                self._name(v, f"{v.op}.batched({name}, *{host})", owned=False)
            else:
                operands = ", ".join(self._operand(a, self._level(v)) for a in v.args)
                self._name(v, f"in_stacks({v.op}, [{operands}], {host}, {in_place})", owned=in_place)
                if in_place:  # it hands back its first argument
                    self.names[id(v)] = name
        else:  # comparisons leave truth values, no place for numbers
            op = v.op.removesuffix("_host")
            self._loop(v, f"torch.{op}", host, owned=op not in _COMPARISONS)

    def _emit_binary(self, v: Value, function: str) -> None:
        a, b = v.args
        self._take(a, b)
        level = self._level(v)
        good_a, good_b = (self._level(x) == level for x in (a, b))
        if function in _COMMUTES and good_b and (not good_a or (not self._free(a) and self._free(b))):
            a, b = b, a
        self._call(v, function, (a, b))

    def _emit_sum(self, v: Value) -> None:
        x, y = v.args
        # The operand that is overwritten goes first: a scaled old state rather than a new product.
        if self._fusable(x) and not self._fusable(y):
            x, y = y, x
        if self._level(x) != self._level(v):
            x, y = y, x
        if self._fusable(y) and self._level(y) == ELEMENT and self._level(x) == ELEMENT:
            product = y.args[0] if y.op == "scale" else y
            factor = self._host(y.host) if y.op == "scale" else "1.0"
            p, q = product.args
            if self._level(p) == self._level(q) == ELEMENT:
                self._take(x, p, q)
                self._call(v, "addcmul" if product.op == "mul" else "addcdiv", (x, p, q), factor)
                return
        if y.op == "scale" and self._single(y) and self._level(y) == self._level(x):
            self._take(x, y.args[0])
            self._call(v, "add", (x, y.args[0]), f"alpha={self._host(y.host)}")
            return
        self._emit_binary(v, "add")

    def _fusable(self, v: Value) -> bool:
        """Whether ``v`` is a product or quotient, perhaps scaled, that nothing else needs."""
        if not self._single(v):
            return False
        if v.op == "scale":
            v = v.args[0]
        return v.op in ("mul", "div") and self._single(v)

    def _write(self) -> None:
        # Totals first, in the rule's order: programs that run side by side must meet in the same one.
        for v in self.graph.totals:
            self._emit(v)
        for v in self.graph.outputs.values():
            self._emit(v)
        moves: dict[str, str] = {}
        repeated: dict[str, str] = {}
        for name, v in self.graph.outputs.items():
            place, value = _variable(name), self.names[id(v)]
            if place != value:
                moves[place] = value
                repeated[place] = (
                    " * len(w)" if self._level(v) == ALL != level_of_input(self.graph, name) else ""
                )
        while moves:
            ready = [place for place in moves if place not in moves.values()]
            if not ready:  # a ring of exchanges: keep one old value aside
                ready = [next(iter(moves))]
                self.lines.append(f"aside = [x.clone() for x in {ready[0]}]")
                moves = {k: "aside" if value == ready[0] else value for k, value in moves.items()}
            for place in ready:
                self.lines.append(f"torch._foreach_copy_({place}, {moves.pop(place)}{repeated[place]})")

    def source(self) -> str:
        """Return the program's text."""
        inputs = ", ".join(map(_variable, ["w", "g", *self.graph.kept]))
        constants = "".join(f"{text}, " for text in self.hosts)
        unpack = f"    {', '.join(self.hosts.values())}, = c\n" if self.hosts else ""
        body = "\n".join(f"    {line}" for line in self.lines) or "    pass"
        return (
            f"def holds(h, step):\n    return {self.graph.path.condition()}\n\n"
            f"def constants(h, step):\n    return ({constants})\n\n"
            f"def step({inputs}, c{self.parameters}):\n{unpack}{body}\n"
        )


def _variable(name: str) -> str:
    """Name an input in the program, apart from the program's own variables."""
    return name if name in ("w", "g") else f"s_{name}"
