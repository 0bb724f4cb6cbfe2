"""What is set in an optimizer, noted whenever it changes."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from descend.watching.facts import OptimizerFacts
from descend.watching.samples import spread

_SETTINGS = ("lr", "momentum", "betas", "weight_decay", "dampening", "alpha", "eps", "maximize")
MOST = 4000
"""How many changes are noted."""


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


def few(optimizer: Optimizer, count: int) -> list[Tensor]:
    """Return some of an optimizer's parameters, the first and the last ones among them."""
    return spread([p for group in optimizer.param_groups for p in group["params"]], count)


def on_a_device(optimizer: Optimizer) -> bool:
    """Whether it is a device beside the processor that an optimizer's parameters are on."""
    return any(not p.is_cpu for group in optimizer.param_groups for p in group["params"][:1])
