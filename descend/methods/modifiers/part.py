"""What a modifier is: a part that any method can take."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from descend.methods.rule import Rule

PLACES = ("calls", "gradient", "update", "decay", "step")
"""Where modifiers act, in the order of what happens in a step."""

Range = tuple[str, Callable[[Any], bool]]
"""What a hyperparameter must be, in words and as a test."""


def number(words: str, good: Callable[[float], bool]) -> Range:
    """Return the range of a number, which may come as a tensor or from numpy."""

    def holds(x: Any) -> bool:
        return not isinstance(x, bool | str) and hasattr(x, "__float__") and good(float(x))

    return words, holds


positive = number("above 0", lambda x: 0 < x < math.inf)
share = number("in (0, 1]", lambda x: 0 < x <= 1)
whole_number = number("a whole number of at least 1", lambda x: x >= 1 and x.is_integer())
flag: Range = ("true or false", lambda x: isinstance(x, bool))


@dataclass(frozen=True)
class Modifier:
    """A part that any method can take.

    Attributes:
        place: ``calls`` (where and when gradients are taken), ``gradient`` (acts on g), ``update`` (acts on
            the method's own move), ``decay`` (the kind of weight decay) or ``step`` (acts on what the whole
            step gave, decay included).
        switch: the hyperparameter that switches it on by being true (or not zero); its value is its dose.
        summary: one line.
        equation: the equations in one line.
        source: the paper.
        example: a value of the switch, as an example.
        around: gives the rule with this part around it; ``None`` where it acts outside of the rule.
        others: its further hyperparameters, with their defaults, or functions that give them from a
            parameter group and what is kept for each parameter.
        ranges: what its hyperparameters must be.
        evaluation: where it evaluates elsewhere than it trains: ``(w, g, s, h) → the point``.
    """

    place: str
    switch: str
    summary: str
    equation: str
    source: str
    example: Any
    around: Callable[[Rule], Rule] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    evaluation: Callable[..., Any] | None = None
