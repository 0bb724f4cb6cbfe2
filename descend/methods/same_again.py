"""A step like the last one: what needs no second look is held from the step before.

Most steps are like the one before: the same parameters, all with a gradient, the same state, other numbers.
Then sorting tensors and looking at each is most of the time of a step on a small model. What was found out
is held here, and each step makes sure that it still holds: parameters and state are the very same objects,
gradients of the same format, all counts equal. Where anything differs, the step is taken the long way.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, is_, itemgetter
from typing import TYPE_CHECKING, Any

from torch import Tensor

from descend.methods.executors import fused
from descend.methods.rule import Batch, Rule

if TYPE_CHECKING:
    from descend.methods.method import Method

_gradient, _count = attrgetter("grad"), itemgetter("step")


class Held:
    """What a group's step holds from the last one.

    Attributes:
        rule: the group's equations.
        owners: its parameters that had a gradient.
        own: their states.
        kept: what is kept: (how to take it from a state, what it was).
        for_all: the numbers kept for all parameters: (name in the group, what it was).
        plan: the executor's own.
    """

    __slots__ = ("for_all", "kept", "own", "owners", "plan", "rule")

    def __init__(self, method: Method, rule: Rule, owners: list[Tensor], batch: Batch, plan: fused.Plan):
        self.rule, self.owners, self.plan = rule, owners, plan
        self.own = [method.state[p] for p in owners]
        each = {name: values for name, values in batch.kept.items() if rule.kept[name].kind != "all"}
        self.kept = [(itemgetter(name), values) for name, values in each.items()]
        self.for_all = [(name, values[0]) for name, values in batch.kept.items() if name not in each]


def hold(
    method: Method, group: dict[str, Any], rule: Rule, owners: list[Tensor], batch: Batch
) -> Held | None:
    """Hold what a step just taken found out about a group; ``None`` where the next needs the long way."""
    if not all(map(is_, owners, batch.w)):
        return None  # some are complex
    plan = fused.plan(rule, batch, len(method.param_groups) == 1)
    return None if plan is None else Held(method, rule, list(owners), batch, plan)


def ready(method: Method, group: dict[str, Any], held: Held, h: Mapping[str, Any]) -> int:
    """Return the count of a group's next step if it can be taken as the last one, else 0."""
    params, own = group["params"], held.own
    gradients = list(map(_gradient, params))
    if len(params) != len(own):  # some were without a gradient
        params = [p for p, g in zip(params, gradients, strict=True) if g is not None]
        gradients = [g for g in gradients if g is not None]
        if len(params) != len(own):
            return 0
    if not all(map(is_, params, held.owners)):
        return 0
    if not all(map(is_, map(method.state.get, params), own)):
        return 0
    try:
        for take_from, values in held.kept:
            if not all(map(is_, map(take_from, own), values)):
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
    return step if held.plan.ready(gradients, step, h) else 0


def take(held: Held, step: int) -> None:
    """Take the step that was found ready."""
    held.plan.go()
    for own in held.own:
        own["step"] = step
