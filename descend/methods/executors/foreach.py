"""A rule as a short program over lists of tensors, for any device.

The traced graph is translated into ``torch._foreach_*`` calls, one call for all tensors: products and
quotients that are added fuse into ``addcmul``/``addcdiv``, and a buffer whose old value nobody needs any
more is written in place. AdamW comes out as the eight calls that one would write by hand.
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from descend.methods.rule import Rule
from descend.methods.trace import Graph, Host, Value, static_key, trace

# How far one value of a node reaches: one for every number, for every tensor, or for all of them.
ELEMENT, TENSOR, ALL = 0, 1, 2

_UNARY = {"sqrt", "exp", "abs", "sign", "reciprocal"}
_BINARY = {"mul", "div", "maximum", "minimum"}
_WITH_HOST = {
    "scale": "mul",
    "add_host": "add",
    "maximum_host": "clamp_min",
    "minimum_host": "clamp_max",
    "pow": "pow",
}
_COMMUTES = {"mul", "maximum", "minimum", "add"}


class Program:
    """One compiled rule.

    Attributes:
        source: the Python text, for reading.
        kept: the names of what the rule keeps.
        cuts: whether it holds totals; then it is a generator that yields each tensor's part.
    """

    def __init__(self, graph: Graph):
        writer = _Writer(graph)
        self.source = writer.source()
        self.kept = graph.kept
        self.cuts = writer.cuts
        scope: dict[str, Any] = {"torch": torch, "math": math}
        exec(compile(self.source, "<descend rule>", "exec"), scope)
        self.constants: Callable[[Mapping[str, Any], int], tuple[float, ...]] = scope["constants"]
        self.step: Callable[..., Any] = scope["step"]


class _Writer:
    """Chooses the calls, in an order and in place where it can."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.lines: list[str] = []
        self.hosts: dict[str, str] = {}
        self.names: dict[int, str] = {}
        self.owned: dict[int, bool] = {}  # may this node's buffer be overwritten once it is dead?
        self.left: dict[int, int] = {}
        self.levels: dict[int, int] = {}
        self.cuts = False
        self._count_uses()
        self._write()

    # What is used how often, and how far it reaches ----------------------------------------------
    def _count_uses(self) -> None:
        for v in self.graph.nodes():
            for a in v.args:
                self.left[id(a)] = self.left.get(id(a), 0) + 1
            if v.op == "input":
                level = ELEMENT
            elif v.op == "total":
                level, self.cuts = ALL, True
            elif v.op == "norm":
                level = TENSOR
            else:
                level = min(self.levels[id(a)] for a in v.args)
            self.levels[id(v)] = level
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
    def _take(self, v: Value) -> str:
        """Have ``v`` in a variable, and count one use of it as done."""
        name = self._emit(v)
        self.left[id(v)] -= 1
        return name

    def _free(self, v: Value) -> bool:
        """Whether the buffer of ``v``, just taken, may be overwritten."""
        return self.left[id(v)] == 0 and self.owned[id(v)]

    def _call(self, v: Value, function: str, base: Value, *rest: str) -> None:
        """Write one call whose first operand is ``base`` (taken already), in place if it may be."""
        first = self.names[id(base)]
        arguments = ", ".join([first, *rest])
        if self._free(base) and self._level(base) == self._level(v):
            self.lines.append(f"torch._foreach_{function}_({arguments})")
            self.names[id(v)] = first
        else:
            name = f"t{len(self.lines)}"
            self.lines.append(f"{name} = torch._foreach_{function}({arguments})")
            self.names[id(v)] = name
        self.owned[id(v)] = True

    def _emit(self, v: Value) -> str:
        if id(v) in self.names:
            return self.names[id(v)]
        if v.op == "input":
            self.names[id(v)] = v.name
            self.owned[id(v)] = v.name != "g"  # a gradient belongs to the user
        elif v.op == "add":
            self._emit_sum(v)
        elif v.op in _UNARY:
            self._take(v.args[0])
            self._call(v, v.op, v.args[0])
        elif v.op in _WITH_HOST:
            self._take(v.args[0])
            self._call(v, _WITH_HOST[v.op], v.args[0], self._host(v.host))
        elif v.op in _BINARY:
            self._emit_binary(v, v.op)
        elif v.op == "lerp":
            a, b = v.args
            self._take(a)
            other = self._take(b)
            self._call(v, "lerp", a, other, self._host(v.host))
        else:
            self._emit_other(v)
        return self.names[id(v)]

    def _emit_binary(self, v: Value, function: str) -> None:
        a, b = v.args
        self._take(a)
        self._take(b)
        reaches = self._level(a) == self._level(v)
        if function in _COMMUTES and (not reaches or (not self._free(a) and self._free(b))):
            a, b = b, a
        if self._level(a) != self._level(v):  # a tensor's number over its elements
            self._loop(v, f"torch.{function}(x0, x1)", [a, b])
            return
        self._call(v, function, a, self.names[id(b)])

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
                self._take(x)
                first, second = self._take(p), self._take(q)
                self._call(v, "addcmul" if product.op == "mul" else "addcdiv", x, first, second, factor)
                return
        if y.op == "scale" and self._single(y) and self._level(y) == self._level(x):
            self._take(x)
            other = self._take(y.args[0])
            self._call(v, "add", x, other, f"alpha={self._host(y.host)}")
            return
        self._emit_binary(v, "add")

    def _fusable(self, v: Value) -> bool:
        """Whether ``v`` is a product or quotient, perhaps scaled, that nothing else needs."""
        if not self._single(v):
            return False
        if v.op == "scale":
            v = v.args[0]
        return v.op in ("mul", "div") and self._single(v)

    def _loop(self, v: Value, expression: str, args: Sequence[Value]) -> None:
        """Write an operation that has no foreach form, tensor by tensor."""
        names = [self.names[id(a)] for a in args]
        xs = ", ".join(f"x{i}" for i in range(len(args)))
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = [{expression} for {xs}, in zip({', '.join(names)})]")
        self.names[id(v)], self.owned[id(v)] = name, True

    def _emit_other(self, v: Value) -> None:
        for a in v.args:
            self._take(a)
        names = [self.names[id(a)] for a in v.args]
        name = f"t{len(self.lines)}"
        if v.op == "norm":
            self.lines.append(f"{name} = torch._foreach_norm({names[0]})")
        elif v.op == "total":
            self.lines.append(f"{name} = yield torch.stack([x.sum() for x in {names[0]}]).sum()")
            self.lines.append(f"{name} = [{name}] * len(w)")
        elif v.op == "choose":
            self.lines.append(f"{name} = {names[0]} if {self._host(v.host)} else {names[1]}")
        elif v.op == "fill":
            self.lines.append(f"{name} = [torch.full_like(x, {self._host(v.host)}) for x in {names[0]}]")
        elif v.op == "where":
            self._loop(v, "torch.where(x0, x1, x2)", v.args)
            return
        elif v.op.endswith("_host"):
            self._loop(v, f"torch.{v.op[:-5]}(x0, {self._host(v.host)})", v.args)
            return
        else:
            self._loop(v, f"torch.{v.op}({', '.join(f'x{i}' for i in range(len(v.args)))})", v.args)
            return
        self.names[id(v)] = name
        # A choice is another name for one of its operands, and a total is one tensor under many
        # names: neither may be overwritten.
        self.owned[id(v)] = v.op not in ("choose", "total")

    def _write(self) -> None:
        places = {name: self._emit(v) for name, v in self.graph.outputs.items()}
        moves = {
            name: (place, self.graph.outputs[name]) for name, place in places.items() if place != name
        }
        while moves:
            sources = {place for place, _ in moves.values()}
            ready = [name for name in moves if name not in sources]
            if not ready:  # a ring of exchanges: keep one old value aside
                name = next(iter(moves))
                self.lines.append(f"aside = torch._foreach_clone({name})")
                moves = {k: ("aside" if p == name else p, v) for k, (p, v) in moves.items()}
                ready = [name]
            for name in ready:
                place, value = moves.pop(name)
                if self._level(value) != ELEMENT and name == "w":
                    raise TypeError("the new parameter must have the parameter's shape")
                self.lines.append(f"torch._foreach_copy_({name}, {place})")

    def source(self) -> str:
        """Return the program's text."""
        inputs = ", ".join(["w", "g", *self.graph.kept])
        constants = "".join(f"{text}, " for text in self.hosts)
        unpack = f"    {', '.join(self.hosts.values())}, = c\n" if self.hosts else ""
        body = "\n".join(f"    {line}" for line in self.lines) or "    pass"
        return (
            f"def constants(h, step):\n    return ({constants})\n\n"
            f"def step({inputs}, c):\n{unpack}{body}\n"
        )


_programs: dict[tuple[Any, ...], Program] = {}


def program(rule: Rule, hyperparameters: Mapping[str, Any]) -> Program:
    """Return the program of a rule under these hyperparameters, compiled once.

    Args:
        rule: the equations.
        hyperparameters: their flags and zeros decide which program it is.
    """
    key = (rule, static_key(hyperparameters))
    found = _programs.get(key)
    if found is None:
        found = _programs[key] = Program(trace(rule, hyperparameters))
    return found


def run(
    rule: Rule,
    w: Sequence[Tensor],
    g: Sequence[Tensor],
    kept: Mapping[str, Sequence[Tensor]],
    steps: Sequence[int],
    hyperparameters: Mapping[str, Any],
) -> None:
    """Take one step, writing into ``w`` and ``kept``.

    Tensors are grouped by device, dtype and step count: an expert that was not used for a while is
    corrected for its own steps, not for the others'. Arguments as
    :func:`descend.methods.executors.reference.run`.
    """
    compiled = program(rule, hyperparameters)
    names = list(kept)
    buckets: dict[Any, list[int]] = {}
    for i, x in enumerate(w):
        buckets.setdefault((steps[i], x.device, x.dtype), []).append(i)
    running: list[Generator[Tensor, Tensor, None]] = []
    for (step, _, _), index in buckets.items():
        constants = compiled.constants(hyperparameters, step)
        if len(buckets) == 1:
            lists = [w, g, *(kept[n] for n in names)]
        else:
            lists = [[values[i] for i in index] for values in (w, g, *(kept[n] for n in names))]
        result = compiled.step(*lists, constants)
        if compiled.cuts:
            running.append(result)
    if running:
        _together(running)


def _together(running: list[Generator[Tensor, Tensor, None]]) -> None:
    """Drive programs with totals side by side: at each cut, all parts are summed and handed back."""
    parts = [next(r) for r in running]
    while parts:
        whole = torch.stack([p.to(parts[0].device) for p in parts]).sum()
        following = []
        for r, part in zip(running, parts, strict=True):
            try:
                following.append(r.send(whole.to(part.device)))
            except StopIteration:
                continue
        parts = following
