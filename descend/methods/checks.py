"""What values hyperparameters may have."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from descend.errors import UsageError
from descend.methods import modifiers, storing

if TYPE_CHECKING:
    from descend.methods.method import Method

_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "lr": ("at least 0", lambda x: x >= 0),
    "momentum": ("in [0, 1)", lambda x: 0 <= x < 1),
    "dampening": ("in [0, 1]", lambda x: 0 <= x <= 1),
    "betas": ("each in [0, 1)", lambda x: 0 <= x < 1),
    "eps": ("at least 0", lambda x: x >= 0),
    "weight_decay": ("at least 0", lambda x: x >= 0),
    "alpha": ("in [0, 1]", lambda x: 0 <= x <= 1),
    "rho": ("in [0, 1]", lambda x: 0 <= x <= 1),
    "lr_decay": ("at least 0", lambda x: x >= 0),
    "initial_accumulator_value": ("at least 0", lambda x: x >= 0),
    "momentum_decay": ("at least 0", lambda x: x >= 0),
    "etas": ("each above 0", lambda x: x > 0),
    "step_sizes": ("each at least 0", lambda x: x >= 0),
    "lambd": ("at least 0", lambda x: x >= 0),
    "t0": ("at least 0", lambda x: x >= 0),
    "trust_coefficient": ("at least 0", lambda x: x >= 0),
}

_PAIRS: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "etas": ("a number below 1 and one above it", lambda a, b: a < 1 < b),
    "step_sizes": ("the smaller number first", lambda a, b: a <= b),
}
"""What two numbers must be to each other."""


def member(cls: type["Method"], name: str | None) -> type["Method"]:
    """Return the method of a group of a method's parameters.

    Args:
        cls: the method.
        name: of the group's own, the class in lower case; ``None`` for the method itself.

    Raises:
        UsageError: where it is no method, or none for some of the parameters.
    """
    other = cls if name is None else cls.named.get(name)
    if other is None or (other.alone and other is not cls):
        raise UsageError(
            f"a method that takes some of {cls.__name__}'s parameters by their gradients",
            repr(name),
            "take another for the group, such as adamw, or this one for all of the parameters",
        )
    return other


def check_group(cls: type["Method"], group: dict[str, Any]) -> None:
    """Refuse a group with values, or parameters, that its method cannot take."""
    for name in cls.defaults:
        check(cls, name, group[name])
    modifiers.check(cls, group)
    storing.check(group)
    if cls.takes is not None:
        for p in group["params"]:
            if not cls.takes(p):
                raise UsageError(
                    f"for {cls.__name__}, parameters such as matrices",
                    f"one of shape {tuple(p.shape)}",
                    f'descend.optimizer("{cls.__name__.lower()}", model) gives it another method',
                )
    if (
        group.get("nesterov")
        and "dampening" in cls.defaults
        and (not group["momentum"] or group["dampening"])
    ):
        raise UsageError(
            "a momentum above 0 and no dampening with nesterov",
            f"momentum {group['momentum']} and dampening {group['dampening']}",
            "set momentum=0.9, dampening=0",
        )


def check(cls: type["Method"], name: str, value: Any) -> None:
    """Refuse a value that a hyperparameter of this class cannot have."""
    default = cls.defaults[name]
    if name in cls.choices and value not in cls.choices[name]:
        names = " or ".join(map(str, cls.choices[name]))
        raise UsageError(f"{name}: {names}", repr(value), f"for example {default}")
    if isinstance(default, bool) or (name not in _RANGES and name not in cls.ranges):
        return
    expected, good = cls.ranges[name] if name in cls.ranges else _RANGES[name]
    values: tuple[Any, ...] = tuple(value) if isinstance(value, tuple | list) else (value,)
    if isinstance(default, tuple) and len(values) != len(default):
        raise UsageError(f"{len(default)} numbers for {name}", repr(value), f"for example {default}")
    usual = default if isinstance(default, tuple) else (default,) * len(values)
    for x, y in zip(values, usual, strict=True):
        if (x, y) == (None, None):  # it follows from something else
            continue
        number = hasattr(x, "__float__") and math.prod(getattr(x, "shape", ())) == 1
        if isinstance(x, bool | str) or not number or not good(float(x)):
            raise UsageError(f"{name} {expected}", repr(value), f"for example {name}={default}")
    pairs = {**_PAIRS, **cls.pairs}
    if name in pairs and not pairs[name][1](*map(float, values)):
        raise UsageError(f"for {name} {pairs[name][0]}", repr(value), f"for example {default}")
