"""From parameter groups to what an executor works on: parameters that have a gradient, and their state."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods import storing
from descend.methods.rule import Batch, Rule

if TYPE_CHECKING:
    from descend.methods.method import Method


def moving_of(group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return the parameters of a group that have a gradient, as they are and as real, and the gradients."""
    owners: list[Tensor] = []
    w: list[Tensor] = []
    g: list[Tensor] = []
    for p in group["params"]:
        gradient = p.grad
        if gradient is None:
            continue
        if gradient.is_sparse:
            raise UsageError("dense gradients", "a sparse one", "set sparse=False in the embedding")
        owners.append(p)
        if p.is_complex():
            w.append(torch.view_as_real(p))
            g.append(torch.view_as_real(gradient.resolve_conj()))
        else:
            w.append(p)
            # Of an imaginary part: a view of numbers of the other sign, which executors do not ask about.
            g.append(gradient.resolve_neg() if gradient.is_neg() else gradient)
    return owners, w, g


def by_form(rule: Rule, *lists: list[Tensor]) -> Iterator[tuple[str | None, tuple[list[Tensor], ...]]]:
    """Sort owners, parameters and gradients into the rule's forms."""
    if rule.form is None:
        yield None, lists
        return
    forms = [rule.form(w) for w in lists[1]]
    for form in dict.fromkeys(forms):
        yield form, tuple([x for x, f in zip(values, forms, strict=True) if f == form] for values in lists)


def batches(
    method: Method,
    rule: Rule,
    form: str | None,
    group: dict[str, Any],
    h: dict[str, Any],
    owners: list[Tensor],
    w: list[Tensor],
    g: list[Tensor],
) -> list[Batch]:
    """Count the step of some parameters of one form, and gather what it works on.

    Args:
        method: keeps the state.
        rule: the equations.
        form: of all these parameters.
        group: theirs.
        h: its hyperparameters.
        owners: the parameters.
        w: the same as real numbers.
        g: their gradients.

    Returns:
        One batch, or one for each way in which parameters are stored.
    """
    if storing.asked(group):
        found = storing.batches(method, rule, form, group, h, owners, w, g)
    else:
        found = [_plain(method, rule, form, h, owners, w, g)]
    if method._graphs is not None:
        owner = {id(x): p for p, x in zip(owners, w, strict=True)}
        for batch in found:
            counts = [method.state[owner[id(x)]]["step"] for x in batch.w]
            method._graphs.hand_over(group, batch, counts)
    for name, kept in rule.keeps(h, form).items():
        if kept.kind == "all":
            if name not in group:  # a group that came later has the same number as the others
                known = next((x[name] for x in method.param_groups if name in x), None)
                group[name] = kept.fresh(w[0], h) if known is None else known.clone()
            for i, batch in enumerate(found):  # all need the old number, and the first writes the new
                batch.kept[name] = [group[name].clone() if i else group[name]]
    return found


def _plain(
    method: Method,
    rule: Rule,
    form: str | None,
    h: dict[str, Any],
    owners: list[Tensor],
    w: list[Tensor],
    g: list[Tensor],
) -> Batch:
    keeps = rule.keeps(h, form)
    batch = Batch(w, g, {name: [] for name in keeps}, [], h, form)
    counted = method._graphs and method._graphs.steps(method, owners)
    each = [(n, k, batch.kept[n]) for n, k in keeps.items() if k.kind != "all"]
    state, steps = method.state, batch.steps
    for i, (p, x) in enumerate(zip(owners, w, strict=True)):
        own = state[p]
        if counted is None:
            own["step"] = step = int(own.get("step", 0)) + 1
        else:
            step = counted[i]
        steps.append(step)
        for name, kept, values in each:
            value = own.get(name)
            if value is None:
                value = own[name] = kept.fresh(x, h)
            values.append(value)
    return batch
