"""Parts that any method can take: each wraps a rule and gives a rule.

A modifier is switched on by its hyperparameter, in the constructor of any method or in one group, and may
be switched on and off while descending::

    descend.AdamW(model.parameters(), clip_norm=1.0, cautious=True)

They act in one order, that of :data:`MODIFIERS`, whatever the order they are named in: on when and where
gradients are taken, on the gradient, on the method's own move (inside the weight decay), on the decay, on
what the whole step gave. ``docs/modifiers.md`` has each with its equations and an example.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from descend.errors import UsageError
from descend.methods.modifiers import accumulation, averaging, caution, clipping, decay, mars, sharpness
from descend.methods.modifiers.decay import (
    DECAYS,
    chosen_decay,
    corrected_decay,
    coupled_decay,
    decoupled_decay,
    either_decay,
)
from descend.methods.modifiers.part import Modifier
from descend.methods.rule import Rule

if TYPE_CHECKING:
    from descend.methods.method import Method

MODIFIERS: dict[str, Modifier] = {
    part.switch: part
    for part in (
        sharpness.SAM,
        accumulation.ACCUMULATE,
        clipping.NORM,
        clipping.VALUE,
        clipping.ADAPTIVE,
        mars.MARS,
        caution.CAUTIOUS,
        decay.CHOICE,
        averaging.LOOKAHEAD,
        averaging.AVERAGE,
    )
}
"""Every modifier by the hyperparameter that switches it on, in the order in which they act."""


def ascent(rule: Rule) -> Rule:
    """Climb instead of descending, where ``maximize`` says so: g ← −g."""

    def climbing(w: Any, g: Any, s: Any, h: Any) -> Any:
        return rule.equations(w, -g if h.maximize else g, s, h)

    return rule.around(climbing)


@cache
def composed(base: Rule, decay: Callable[[Rule], Rule] | None, active: tuple[str, ...] = ()) -> Rule:
    """Return a method's rule with its parts around it, in their order.

    Groups of one method must share one rule, or a ``total`` in it would not span them: a modifier that is on
    in any group is around the rule of all, and looks at its own switch.

    Args:
        base: the equations alone.
        decay: the kind of weight decay, outside the equations; ``None`` where they hold their own.
        active: the switches of the modifiers that are on in some group.
    """
    parts = [part for name, part in MODIFIERS.items() if name in active]
    rule = base
    for part in parts:
        if part.place == "update":
            rule = _switched(part, rule)
    if decay is not None:
        rule = chosen_decay(decay, rule) if "decay" in active else decay(rule)
    for part in parts:
        if part.place == "step":
            rule = _switched(part, rule)
    for part in reversed(parts):
        if part.place == "gradient":
            rule = _switched(part, rule)
    return ascent(rule)


def _switched(part: Modifier, rule: Rule) -> Rule:
    """Put a part around a rule, for the groups where it is on."""
    assert part.around is not None
    on = part.around(rule)

    def either(w: Any, g: Any, s: Any, h: Any) -> Any:
        return (on if getattr(h, part.switch) else rule).equations(w, g, s, h)

    return on.around(either)


def complete(group: dict[str, Any], state: Mapping[Tensor, dict[str, Any]]) -> None:
    """Give a parameter group the further hyperparameters of the modifiers that are on in it.

    Args:
        group: the group.
        state: what is kept for each parameter.
    """
    for part in MODIFIERS.values():
        if group.get(part.switch):
            for name, value in part.others.items():
                if name not in group:
                    group[name] = value(group, state) if callable(value) else value


def check(cls: "type[Method]", group: dict[str, Any]) -> None:
    """Check the hyperparameters of the modifiers in a parameter group.

    Args:
        cls: the method that descends it.
        group: the group, complete.

    Raises:
        UsageError: where one is out of its range, or the method's equations hold a decay of their own.
    """
    for part in MODIFIERS.values():
        for name, (expected, good) in part.ranges.items():
            value = group.get(name)
            off = name == part.switch and not isinstance(value, str) and not value
            if off or name not in group:
                continue
            if not good(value):
                example = part.example if name == part.switch else part.others[name]
                example = example(group, {}) if callable(example) else example
                raise UsageError(f"{name} {expected}", repr(value), f"for example {name}={example!r}")
    if group.get("decay") and cls.decay is None:
        raise UsageError(
            f"no choice of decay with {cls.__name__}",
            f"decay={group['decay']!r}",
            "leave it out: its equations hold their own kind of decay, or have none",
        )


__all__ = [
    "DECAYS",
    "MODIFIERS",
    "Modifier",
    "ascent",
    "check",
    "complete",
    "composed",
    "corrected_decay",
    "coupled_decay",
    "decoupled_decay",
    "either_decay",
]
