"""A step like the last one: what needs no second look is held from the step before.

Most steps are like the one before: the same parameters, all with a gradient, the same state, other numbers.
Then sorting tensors and looking at each is most of the time of a step on a small model. What was found out
is held here, and each step makes sure that it still holds: parameters and state are the very same objects,
gradients of the same format, all counts equal. Where anything differs, the step is taken the long way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from operator import attrgetter, is_, itemgetter
from typing import TYPE_CHECKING, Any

from torch import Tensor

from descend.methods import storing
from descend.methods.executors import fused
from descend.methods.rule import Batch, Rule
from descend.parameters.formats import beside

if TYPE_CHECKING:
    from descend.methods.method import Method

_gradient, _count = attrgetter("grad"), itemgetter("step")
_formats = [(name, 0 if name == "rounding_seed" else None) for name in storing.NAMES]


class Held:
    """What a group's step holds from the last one.

    Attributes:
        rule: the group's equations.
        owners: its parameters that had a gradient.
        own: their states.
        first: where these states begin among all of the method's; ``None`` where they are scattered.
        states: how many states the method has.
        asked: the number formats that the group asks for.
        kept: what is kept: (how to take it from a state, of whose states, what it was).
        for_all: the numbers kept for all parameters: (name in the group, what it was).
        plans: the executor's own, one a batch: (which gradients, plan).
        looks: whether all of these find the gradients by themselves.
    """

    __slots__ = ("asked", "first", "for_all", "kept", "looks", "own", "owners", "plans", "rule", "states")

    def __init__(self, method: Method, group: dict[str, Any], rule: Rule, owners: list[Tensor]):
        self.rule, self.owners, self.asked = rule, owners, _asked(group)
        self.own = [method.state[p] for p in owners]
        keys, self.states = list(method.state), len(method.state)
        self.first = next((i for i, p in enumerate(keys) if p is owners[0]), None) if owners else None
        if self.first is not None and not all(map(is_, keys[self.first : self.first + len(owners)], owners)):
            self.first = None
        self.kept: list[tuple[itemgetter[Any], list[Any], list[Tensor]]] = []
        self.for_all: list[tuple[str, Tensor]] = []
        self.plans: list[tuple[list[int] | None, fused.Plan]] = []
        self.looks = True

    def has_states(self, state: Mapping[Tensor, Any]) -> bool:
        """Whether the parameters' states are the very same; in order, for hashing a tensor takes long."""
        first, last = self.first, (self.first or 0) + len(self.own)
        if first is None or len(state) != self.states:
            return all(map(is_, map(state.get, self.owners), self.own))
        return all(map(is_, islice(state, first, last), self.owners)) and all(
            map(is_, islice(state.values(), first, last), self.own)
        )

    def add(self, batch: Batch, index: list[int] | None, plan: fused.Plan) -> None:
        """Hold what is known of one batch.

        Args:
            batch: the batch.
            index: which of the owners it has; ``None`` for all.
            plan: the executor's.
        """
        own = self.own if index is None else [self.own[i] for i in index]
        each = {name: values for name, values in batch.kept.items() if self.rule.kept[name].kind != "all"}
        self.for_all += [(name, values[0]) for name, values in batch.kept.items() if name not in each]
        if batch.stored is not None:
            each |= {beside(name): values for name, values in batch.stored.beside.items()}
        self.kept += [(itemgetter(name), own, values) for name, values in each.items()]
        self.plans.append((index, plan))
        self.looks = self.looks and plan.looks


def hold(
    method: Method, group: dict[str, Any], rule: Rule, owners: list[Tensor], batches: Sequence[Batch]
) -> Held | None:
    """Hold what a step just taken found out about a group; ``None`` where the next needs the long way."""
    held, alone = Held(method, group, rule, list(owners)), len(batches) == 1
    places = {} if alone else {id(p): i for i, p in enumerate(owners)}
    for batch in batches:
        if alone:
            index = None if all(map(is_, owners, batch.w)) else []
        else:
            index = [places.get(id(w), -1) for w in batch.w]
        if index is not None and (not index or min(index) < 0):
            return None  # some are complex
        plan = fused.plan(rule, batch, alone and len(method.param_groups) == 1)
        if plan is None:
            return None
        held.add(batch, index, plan)
    return held if alone or not held.for_all else None


def _asked(group: Mapping[str, Any]) -> list[Any]:
    return [group.get(name, start) for name, start in _formats]


def ready(method: Method, group: dict[str, Any], held: Held, h: Mapping[str, Any]) -> int:
    """Return the count of a group's next step if it can be taken as the last one, else 0."""
    params, own = group["params"], held.own
    some = len(params) != len(own)  # were without a gradient
    gradients = list(map(_gradient, params)) if some or not held.looks else None
    if some and gradients is not None:
        params = [p for p, g in zip(params, gradients, strict=True) if g is not None]
        gradients = [g for g in gradients if g is not None]
        if len(params) != len(own):
            return 0
    if not all(map(is_, params, held.owners)) or _asked(group) != held.asked:
        return 0
    if not held.has_states(method.state):
        return 0
    try:
        for take_from, states, values in held.kept:
            if not all(map(is_, map(take_from, states), values)):
                return 0
        for name, value in held.for_all:
            if group[name] is not value:
                return 0
        counts = list(map(_count, own))
    except KeyError:
        return 0
    step = counts[0] + 1
    if counts.count(step - 1) != len(counts):
        return 0
    for index, plan in held.plans:
        g = gradients if index is None or gradients is None else [gradients[i] for i in index]
        if not plan.ready(g, step, h):
            return 0
    return step


def take(held: Held, step: int) -> None:
    """Take the step that was found ready."""
    for _, plan in held.plans:
        plan.go()
    for own in held.own:
        own["step"] = step
