"""Parts that any method can take: each wraps a rule and gives a rule.

A modifier is switched on by its hyperparameter, in the constructor of any method or in one group::

    descend.AdamW(model.parameters(), clip_norm=1.0, cautious=True)

They act in one order, whatever the order they are named in: on the gradient first, then on the update
(inside the weight decay), then on what the whole step gave.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from descend.methods.rule import Rule


def decoupled_decay(rule: Rule) -> Rule:
    """Weight decay beside the gradient: w ← (1 − lr·λ) w (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        if h.weight_decay:
            w = w * (1 - h.lr * h.weight_decay)
        return rule.equations(w, g, s, h)

    return rule.around(decayed)


def coupled_decay(rule: Rule) -> Rule:
    """Weight decay inside the gradient: g ← g + λ w, the gradient of an L2 penalty λ‖w‖²/2."""

    def decayed(w: Any, g: Any, s: Any, h: Any) -> Any:
        if h.weight_decay:
            g = g + h.weight_decay * w
        return rule.equations(w, g, s, h)

    return rule.around(decayed)


def ascent(rule: Rule) -> Rule:
    """Climb instead of descending, where ``maximize`` says so: g ← −g."""

    def climbing(w: Any, g: Any, s: Any, h: Any) -> Any:
        return rule.equations(w, -g if h.maximize else g, s, h)

    return rule.around(climbing)


@dataclass(frozen=True)
class Modifier:
    """A part that any method can take.

    Attributes:
        around: gives the rule with this part around it.
        place: ``gradient`` (acts on g), ``update`` (acts on the method's own move) or ``step`` (acts on
            what the whole step gave, decay included).
        switch: the hyperparameter that switches it on by being true (or not zero); its value is its dose.
        others: its further hyperparameters, with their defaults.
        summary: one line.
        evaluation: where it evaluates elsewhere than it trains: ``(w, g, s, h) → the point``.
    """

    around: Callable[[Rule], Rule]
    place: str
    switch: str
    summary: str
    others: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Callable[..., Any] | None = None


MODIFIERS: dict[str, Modifier] = {}
"""Every modifier by the hyperparameter that switches it on."""


@cache
def composed(
    base: Rule, decay: Callable[[Rule], Rule] | None, active: tuple[str, ...] = ()
) -> Rule:
    """Return a method's rule with its parts around it, in their order.

    Args:
        base: the equations alone.
        decay: the kind of weight decay, outside the equations; ``None`` where they hold their own.
        active: the switches of the modifiers that are on.
    """
    parts = [part for name, part in MODIFIERS.items() if name in active]
    rule = base
    for part in parts:
        if part.place == "update":
            rule = part.around(rule)
    if decay is not None:
        rule = decay(rule)
    for part in parts:
        if part.place == "step":
            rule = part.around(rule)
    for part in reversed(parts):
        if part.place == "gradient":
            rule = part.around(rule)
    return ascent(rule)
