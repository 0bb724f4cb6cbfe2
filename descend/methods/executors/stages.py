"""From a rule's graph to stages: what a fused executor runs, on any device.

Between two cuts (a norm, a mean, a total, a whole-tensor function) everything elementwise is one pass over
memory. A *phase* is what can run before the next cut: first the numbers for all, then the numbers of each
tensor, then one kernel over the elements of each shape, then the functions of whole tensors. Adam is one
phase, LAMB two with norms between, Prodigy two with totals between, Muon two with a function between.

An intermediate value that a later phase needs is computed again there from what is in memory, rather than
written and read: LAMB's second pass reads m, v and w and needs no memory of its own. Results are stored as
early as nobody needs the old value any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from descend.methods.trace import Graph, Value

ELEMENT, TENSOR, ALL = 0, 1, 2
"""How far one value reaches: one for every number, for every tensor, or for all of them."""

LEVELS = {"elementwise": ELEMENT, "matrix": ELEMENT, "tensor": TENSOR, "all": ALL}

REDUCTIONS = {"norm": "square", "mean": "sum", "total": "sum"}
"""Words that make one number of a tensor, and what a kernel adds up for them."""


def level_of_input(graph: Graph, name: str) -> int:
    """Return the reach of an input."""
    return LEVELS[graph.kept[name].kind] if name in graph.kept else ELEMENT


def levels(graph: Graph) -> dict[int, int]:
    """Return the reach of each node, by its ``id``."""
    found: dict[int, int] = {}
    for v in graph.nodes():
        if v.op == "input":
            level = level_of_input(graph, v.name)
        elif v.op == "total":
            level = ALL
        else:
            level = min(found[id(a)] for a in v.args)
            if v.op in REDUCTIONS or v.op.startswith("reduce"):
                level = max(level, TENSOR)
        found[id(v)] = level
    return found


@dataclass
class Kernel:
    """One pass over the elements of the tensors of one shape class.

    Attributes:
        loads: leaf → where its elements lie: the name of an input, or of a temporary.
        stores: (value, where to).
        sums: (value, ``sum`` or ``square``, number of the sum).
    """

    loads: dict[Value, str] = field(default_factory=dict)
    stores: list[tuple[Value, str]] = field(default_factory=list)
    sums: list[tuple[Value, str, int]] = field(default_factory=list)

    def places(self) -> list[str]:
        """Return every place that it touches, each once."""
        return list(dict.fromkeys([*self.loads.values(), *(place for _, place in self.stores)]))


@dataclass
class Call:
    """A function of whole tensors.

    Attributes:
        value: the node.
        function: its number in ``graph.functions``.
        args: for each argument, its place (a string) or the scalar value.
        place: the temporary that its result becomes, or the kept place that it changes in place; ``None``
            where it is a single number.
        in_place: whether it changes its first argument, whose old value nothing else needs.
    """

    value: Value
    function: int
    args: list[str | Value]
    place: str | None
    in_place: bool = False


@dataclass
class Phase:
    """What runs between two cuts: scalars, kernels by shape class, calls, totals.

    Attributes:
        scalars: nodes of reach ALL, then of reach TENSOR, in order.
        kernels: by shape class.
        calls: functions of whole tensors, after the kernels.
        totals: whose shares are known now, in the rule's order.
    """

    scalars: list[Value] = field(default_factory=list)
    kernels: dict[str, Kernel] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    totals: list[Value] = field(default_factory=list)


class Stages:
    """The phases of a rule.

    Args:
        graph: the rule's graph.
        rounded: kept places, or ``w``, whose stored numbers are not those that were computed: no later phase
            reads them back, and functions of whole tensors are given their numbers opened.

    Attributes:
        graph: the rule's graph.
        level: reach of each node, by ``id``.
        phases: in the order they run.
        sums: the reductions of elements: node → its number; ``sum_class`` gives the shape class of each.
        temporaries: places that are neither inputs nor kept, with their shape class.
    """

    def __init__(self, graph: Graph, rounded: Collection[str] = ()):
        self.graph = graph
        self._rounded = rounded
        self.nodes = graph.nodes()
        self.level = levels(graph)
        self.phase: dict[int, int] = {}
        self._assign_phases()
        self._shape: dict[int, int] = {}
        self._assign_shapes()
        self.sums: dict[Value, int] = {}
        self.sum_class: list[str] = []
        self.temporaries: dict[str, str] = {}
        self.phases: list[Phase] = []
        # Where a result's old value is still needed later, its store waits; each attempt learns of more.
        self._stored = {name: self.phase[id(v)] for name, v in graph.outputs.items()}
        while not self._build():
            pass

    # When ---------------------------------------------------------------------------------------
    def _assign_phases(self) -> None:
        last_total = 0
        for v in self._ordered():
            p = max((self.phase[id(a)] for a in v.args), default=0)
            if v.op == "total":
                # Programs that run side by side meet at totals in the rule's order.
                p = last_total = max(p + 1, last_total)
            elif self._cuts(v):
                p += 1
            self.phase[id(v)] = p

    def _ordered(self) -> list[Value]:
        """Order nodes so that totals come in the rule's order, which `nodes` does already."""
        return self.nodes

    def _cuts(self, v: Value) -> bool:
        if v.op.startswith(("whole", "reduce")):
            return True
        return v.op in REDUCTIONS and self.level[id(v.args[0])] == ELEMENT

    # Which shape --------------------------------------------------------------------------------
    def _assign_shapes(self) -> None:
        everything = [*self.nodes, *(self.graph.input(n) for n in ["w", *self.graph.kept])]
        parent: dict[int, int] = {id(v): id(v) for v in everything}

        def root(x: int) -> int:
            while parent[x] != x:
                x = parent[x]
            return x

        def join(a: Value, b: Value) -> None:
            parent[root(id(a))] = root(id(b))

        w = self.graph.input("w")
        inputs = {v.name: v for v in self.nodes if v.op == "input"}
        inputs["w"] = w
        for v in self.nodes:
            if self.level[id(v)] != ELEMENT:
                continue
            if v.op == "input":
                if v.name not in self.graph.kept or self.graph.kept[v.name].kind == "elementwise":
                    join(v, w)
            elif not self._cuts(v):
                for a in v.args:
                    if self.level[id(a)] == ELEMENT:
                        join(a, v)
        for name, v in self.graph.outputs.items():
            if level_of_input(self.graph, name) == ELEMENT and self.level[id(v)] == ELEMENT:
                kept = self.graph.kept.get(name)
                place = inputs.get(name) if kept is not None and kept.kind == "matrix" else w
                if place is not None:
                    join(v, place)
        names: dict[int, str] = {root(id(w)): "w"}
        self._class = {i: names.setdefault(root(i), f"x{len(names)}") for i in parent}

    def needed(self, kernel: Kernel) -> list[Value]:
        """Return what a kernel computes of elements, operands before what uses them."""
        found: set[int] = set()

        def mark(v: Value) -> None:
            if id(v) in found or v in kernel.loads or self.level[id(v)] != ELEMENT:
                return
            found.add(id(v))
            for a in v.args:
                mark(a)

        for v, *_ in [*kernel.stores, *kernel.sums]:
            mark(v)
        return [v for v in self.nodes if id(v) in found]

    def shape_class(self, v: Value) -> str:
        """Return the shape class of an element node; ``w`` is the parameter's own."""
        return self._class[id(v)]

    def _place_class(self, name: str, v: Value) -> str:
        """Return the shape class of a place that ``v`` is stored in."""
        if self.level[id(v)] == ELEMENT:
            return self.shape_class(v)
        if name == "w" or self.graph.kept[name].kind == "elementwise":
            return "w"
        return self.shape_class(self.graph.input(name))  # one number, spread over a matrix

    # What each phase does -----------------------------------------------------------------------
    def _changed_in_place(self, v: Value) -> str | None:
        """Return the kept place that a function may change in place, where it has such a form."""
        if not v.op.startswith("whole") or not v.args or v.args[0].op != "input":
            return None
        name = v.args[0].name
        number = int(v.op.removeprefix("whole"))
        if self.graph.outputs.get(name) is not v or not hasattr(self.graph.functions[number], "in_place"):
            return None
        if name in self._rounded:
            return None
        uses = [u for u in self.nodes if any(a is v.args[0] for a in u.args)]
        return name if uses == [v] and sum(a is v.args[0] for a in v.args) == 1 else None

    def _available(self, v: Value, p: int) -> str | None:
        """Return the place where the elements of ``v`` lie in memory in phase ``p``, if they do."""
        if (name := self._changed_in_place(v)) is not None:
            return name if self.phase[id(v)] <= p else None
        if v.op.startswith("whole"):
            return f"whole:{self.nodes.index(v)}" if self.phase[id(v)] <= p else None
        for name, output in self.graph.outputs.items():
            if output is v and v.op != "input" and self._stored[name] < p and name not in self._rounded:
                return name
        if v.op == "input" and (v.name not in self._stored or self._stored[v.name] >= p):
            return v.name
        if v.op == "input" and self.graph.outputs.get(v.name) is v:
            return v.name  # it is left as it is
        return None

    def _need(self, v: Value, p: int, kernel: Kernel, seen: set[int]) -> bool:
        """Have ``v`` computable in phase ``p``; false where a store must wait for it."""
        if id(v) in seen or self.level[id(v)] != ELEMENT:
            return True
        seen.add(id(v))
        place = self._available(v, p)
        if place is not None:
            kernel.loads[v] = place
            return True
        if v.op == "input":  # overwritten before: let the store wait until now
            self._stored[v.name] = p
            return False
        return all(self._need(a, p, kernel, seen) for a in v.args)

    def _build(self) -> bool:
        count = 1 + max(self.phase.values(), default=0)
        self.phases = [Phase() for _ in range(count)]
        self.sums, self.sum_class, self.temporaries = {}, [], {}
        wanted: list[dict[str, list[Value]]] = [{} for _ in range(count)]

        def kernel(p: int, v: Value, name: str | None = None) -> Kernel:
            name = name or self.shape_class(v)
            wanted[p].setdefault(name, []).append(v)
            return self.phases[p].kernels.setdefault(name, Kernel())

        for level in (ALL, TENSOR):
            for v in self.nodes:
                if self.level[id(v)] == level and v.op != "input":
                    self.phases[self.phase[id(v)]].scalars.append(v)
        for v in self.nodes:
            before = self.phase[id(v)] - 1
            if v.op in REDUCTIONS and self.level[id(v.args[0])] == ELEMENT:
                number = self.sums[v] = len(self.sums)
                self.sum_class.append(self.shape_class(v.args[0]))
                p = self.phase[id(v.args[0])] if v.op != "total" else before
                kernel(p, v.args[0]).sums.append((v.args[0], REDUCTIONS[v.op], number))
        for v in self.graph.totals:
            self.phases[self.phase[id(v)] - 1].totals.append(v)
        for name, v in self.graph.outputs.items():
            if level_of_input(self.graph, name) == ELEMENT:
                if (v.op == "input" and v.name == name) or self._changed_in_place(v) == name:
                    continue
                p = self._stored[name]
                kernel(p, v, self._place_class(name, v)).stores.append((v, name))
        for v in self.nodes:
            if v.op.startswith(("whole", "reduce")) and not self._build_call(v, kernel):
                return False
        for p, found in enumerate(wanted):
            for name, values in found.items():
                k, seen = self.phases[p].kernels[name], set()
                if not all(self._need(v, p, k, seen) for v in values):
                    return False
        return True

    def _build_call(self, v: Value, kernel: Callable[..., Kernel]) -> bool:
        p = self.phase[id(v)] - 1
        place = self._changed_in_place(v)
        in_place = place is not None
        if not in_place and v.op.startswith("whole") and self.level[id(v)] == ELEMENT:
            place = f"whole:{self.nodes.index(v)}"
            self.temporaries[place] = self.shape_class(v)
        number = int(v.op.removeprefix("whole").removeprefix("reduce"))
        call = Call(v, number, [], place, in_place)
        for a in v.args:
            if self.level[id(a)] != ELEMENT:
                call.args.append(a)
                continue
            # Calls run after the stores of their phase.
            where = self._available(a, p + 1)
            late = where in self._stored and self._stored[where] > p and a.op != "input"
            if where is None or late or where in self._rounded:
                where = f"scratch:{self.nodes.index(a)}"
                if where not in self.temporaries:
                    self.temporaries[where] = self.shape_class(a)
                    kernel(p, a).stores.append((a, where))
            call.args.append(where)
        self.phases[p].calls.append(call)
        return True
