"""Methods that evaluate elsewhere than they train: one protocol for all of them.

A method gives its point of evaluation as a second pure function on the same state
(``Method.evaluation_point``), a modifier as ``Modifier.evaluation``. Entering the context computes these
points with the executor of the method, keeps the training points aside, and leaving it puts them back,
bit for bit. A state saved inside the context holds the training points too (``state[p]["training"]``), so
that a run resumed from it goes on from where it trained: loading it takes the parameters there, and so do
``zero_grad`` and ``step`` after it, for the model's own parameters may be loaded later, and are those of the
evaluation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods import modifiers, storing
from descend.methods.modifiers import MODIFIERS
from descend.methods.rule import Batch, Rule

if TYPE_CHECKING:
    from descend.methods.method import Method


@cache
def _elsewhere(rule: Rule, point: Callable[..., Any]) -> Rule:
    return rule.around(point)


def rule_of_evaluation(method: "Method", group: dict[str, Any]) -> Rule | None:
    """Return the rule that gives a group's points of evaluation; ``None`` where it is where it trains."""
    points = [part.evaluation for name, part in MODIFIERS.items() if part.evaluation and group.get(name)]
    point = points[-1] if points else method._class(group).evaluation_point
    return None if point is None else _elsewhere(method._rule(group), point)


@contextmanager
@torch.no_grad()
def evaluation(method: "Method") -> Iterator[None]:
    """Have the parameters at their points of evaluation, as :meth:`.method.Method.evaluation`."""
    if method._training:
        yield  # nested: they are there already
        return
    back_to_training(method)
    for group in method.param_groups:
        rule = rule_of_evaluation(method, group)
        owners = [p for p in group["params"] if method.state.get(p, {}).get("step")]
        if rule is None or not owners:
            continue
        modifiers.complete(group, method.state)
        h = method._hyperparameters(group)
        points = [
            storing.plain_parameter(method.state[p], _real(p).detach()).clone(
                memory_format=torch.preserve_format
            )
            for p in owners
        ]
        for form in dict.fromkeys(rule.form(p) if rule.form else None for p in points):
            index = [i for i, p in enumerate(points) if rule.form is None or rule.form(p) == form]
            some, states = [points[i] for i in index], [method.state[owners[i]] for i in index]
            # What a modifier keeps that was switched on since the last step is as it will start.
            kept = {
                name: [group[name] if name in group else k.fresh(some[0], h)]
                if k.kind == "all"
                else [
                    storing.plain(s, name, k) if name in s else k.fresh(x, h)
                    for s, x in zip(states, some, strict=True)
                ]
                for name, k in rule.keeps(h, form).items()
            }
            batch = Batch(some, some, kept, [int(s["step"]) for s in states], h, form)
            method._execute(rule, [batch])
        for p, point in zip(owners, points, strict=True):
            method._training[p] = p.detach().clone(memory_format=torch.preserve_format)
            _real(p).copy_(point)
    try:
        yield
    finally:
        back_to_training(method, leaving=True)


@torch.no_grad()
def back_to_training(method: "Method", leaving: bool = False) -> None:
    """Put the parameters back to where they train.

    Args:
        method: the method.
        leaving: whether the context is being left; otherwise a step is about to be taken.

    Raises:
        UsageError: where a step is taken inside the context.
    """
    if method._training and not leaving:
        raise UsageError("steps outside of opt.evaluation()", "a step inside it", "leave the context first")
    for p, point in method._training.items():
        p.copy_(point)
    method._training.clear()
    resume(method)
    if method._resumed:
        method._resumed = False
        for own in method.state.values():
            own.pop("training", None)


@torch.no_grad()
def resume(method: "Method") -> None:
    """Take the parameters to where they train, after a state was loaded that was saved inside the context."""
    if method._resumed:
        for p, own in method.state.items():
            if isinstance(own, dict) and "training" in own:
                p.copy_(own["training"])


def with_training_points(method: "Method", saved: dict[str, Any]) -> dict[str, Any]:
    """Return a state with the training points in it, where the parameters are elsewhere just now."""
    if not method._training:
        return saved
    order = [p for group in method.param_groups for p in group["params"]]
    keys = [key for group in saved["param_groups"] for key in group["params"]]
    state = dict(saved["state"])
    for p, key in zip(order, keys, strict=True):
        if p in method._training:
            state[key] = {**state[key], "training": method._training[p].clone()}
    return {**saved, "state": state}


def copied(method: "Method") -> dict[str, Any]:
    """Return what a copy of the method needs that is made inside the context; it will be outside."""
    state = defaultdict(dict, method.state)
    for p, point in method._training.items():
        state[p] = {**state[p], "training": point}
    return {"state": state, "_training": {}, "_resumed": method._resumed or bool(method._training)}


def _real(p: Tensor) -> Tensor:
    return torch.view_as_real(p) if p.is_complex() else p
