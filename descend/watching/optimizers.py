"""Optimizers: which there are, what they hold, and what is set in them, noted whenever it changes."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watching.facts import OptimizerFacts
from descend.watching.later import Later
from descend.watching.moves import facts_of
from descend.watching.observations import Observations
from descend.watching.samples import spread

_SETTINGS = ("lr", "momentum", "betas", "weight_decay", "dampening", "alpha", "eps", "maximize")
MOST = 4000
"""How many changes are noted."""
KEPT = 4
"""Of how many optimizers it is known at the end what they hold: as long their parameters are not freed."""


class Optimizers:
    """Those that take steps, by their numbers.

    Args:
        only: the one that is watched; None for every one.
        seen: where they are noted.
        names: of parameters, by their ids.
        later: computes what is told of parameters that no module is known to have.

    Attributes:
        only: the one that is watched.
        had: tensors that any of them was given, by their ids.
        kept: the groups of the first ones, to see at the end what they hold.
    """

    def __init__(self, only: Optimizer | None, seen: Observations, names: dict[int, str], later: Later):
        self.only = only
        self._seen, self._names, self._later = seen, names, later
        self._known: dict[int, tuple[weakref.ref[Optimizer], int]] = {}
        self.kept: list[list[dict[str, Any]]] = []
        self._ages: dict[int, float] = {}
        self.had: dict[int, weakref.ref[Tensor]] = {}

    def __iter__(self) -> Iterator[tuple[Optimizer, int]]:
        """Yield the optimizers that there are yet, with their numbers."""
        for reference, index in self._known.values():
            optimizer = reference()
            if optimizer is not None:
                yield optimizer, index

    def index(self, optimizer: Optimizer) -> int:
        """Return the number of an optimizer; one that is new is noted with what it holds."""
        known = self._known.get(id(optimizer))
        if known is not None and known[0]() is optimizer:
            return known[1]
        seen = self._seen
        facts = OptimizerFacts(type(optimizer).__name__, seen.steps + 1)
        seen.optimizers.append(facts)
        index = len(seen.optimizers) - 1
        self._known[id(optimizer)] = weakref.ref(optimizer), index
        if index < KEPT:
            self.kept.append(optimizer.param_groups)
        count = 0
        for group in optimizer.param_groups:
            names = group.get("param_names")
            for i, p in enumerate(group["params"]):
                known_tensor = self.had.get(id(p))
                facts.again += known_tensor is not None and known_tensor() is p
                self.had[id(p)] = weakref.ref(p)
                given = names[i] if names else f"parameter.{index}.{count}" if index else f"parameter.{count}"
                name = self._names.setdefault(id(p), given)
                count += 1
                facts.parameters.append(name)
                known_facts = seen.parameters.get(name)
                if known_facts is None:
                    with torch.no_grad():
                        known_facts = seen.parameters[name] = facts_of(name, p, "", False, self._later)
                elif known_facts.optimizer >= 0 and known_facts.moved:
                    known_facts.trained_before = True
                known_facts.optimizer = index
        note(optimizer, facts, seen.steps)
        return index

    def holding(self) -> dict[int, int] | None:
        """Return the numbers of those that hold each parameter now, by its id; None where that is not known.

        Groups may have been added since the first step. Steps by hand are known to hold what they began with.
        """
        if (
            self.only is not None
            or len(self._seen.optimizers) > KEPT
            or any(not isinstance(o, Optimizer) for o, _ in self)
        ):
            return None
        return {id(p): i for i, groups in enumerate(self.kept) for group in groups for p in group["params"]}

    def look_at_state(self, optimizer: Optimizer, index: int) -> None:
        """See whether an optimizer has lost what it had kept for its parameters."""
        facts = self._seen.optimizers[index]
        own = next(iter(optimizer.state.values()), None)
        count = float(own["step"]) if isinstance(own, dict) and "step" in own else 0.0
        if facts.stateful and (own is None or count < self._ages.get(index, 0.0)):
            facts.resets += 1
        self._ages[index] = count


def note(optimizer: Optimizer, facts: OptimizerFacts, step: int) -> None:
    """Note an optimizer's settings after a step, if its learning rates have changed."""
    groups = optimizer.param_groups
    last = facts.settings[-1][1] if facts.settings else []
    if len(last) == len(groups):
        for before, group in zip(last, groups, strict=True):
            if before["lr"] != group.get("lr", 0.0):
                break
        else:
            return
        if len(facts.settings) > MOST:
            return
    known = last + [{}] * len(groups)
    now = [_set(group, before) for group, before in zip(groups, known, strict=False)]
    facts.settings.append((step, now))
    if not last:
        facts.maximize = any(bool(g.get("maximize")) for g in now)
    facts.stateful = facts.stateful or stateful(optimizer)


def stateful(optimizer: Optimizer) -> bool:
    """Whether an optimizer keeps anything of its parameters but a count of steps."""
    owns = [own for own in list(optimizer.state.values())[:4] if isinstance(own, dict)]
    return any(key != "step" and value is not None for own in owns for key, value in own.items())


def _set(group: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return what is set in a group; ``known`` is what was: few settings change while training."""
    if not known:
        now = {name: _plain(group[name]) for name in _SETTINGS if name in group}
        now.setdefault("lr", 0.0)
        return now
    lr = group.get("lr", 0.0)
    now = {**known, "lr": float(lr)}
    for name in ("momentum", "betas", "weight_decay"):
        if name in now:
            now[name] = _plain(group[name])
    return now


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return tuple(float(x) for x in value)
    if isinstance(value, bool | str | type(None)):
        return value
    return float(value)


def few(optimizer: Optimizer, count: int, turn: int = 0) -> list[Tensor]:
    """Return some of an optimizer's parameters, evenly spaced, in each turn others.

    By default the first and the last ones are among them.
    """
    every = [p for group in optimizer.param_groups for p in group["params"]]
    turn %= max(1, len(every))
    return spread(every[turn:] + every[:turn], count)


def on_a_device(optimizer: Optimizer) -> bool:
    """Whether it is a device beside the processor that an optimizer's parameters are on."""
    return any(not p.is_cpu for group in optimizer.param_groups for p in group["params"][:1])
