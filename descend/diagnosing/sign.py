"""What a sign is: a number that tells of a cause the larger it is, without a threshold of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from descend.diagnosing.neighbours import Rows
from descend.watching.observations import Observations

NAN = math.nan


@dataclass(frozen=True)
class Sign:
    """A sign of a cause.

    Attributes:
        cause: the name of the cause.
        name: of the sign.
        words: what is said of it, with ``{}`` for its value.
        of: tells its value, of what was seen and of the examples (None where there are none); nan where it
            cannot be told.
    """

    cause: str
    name: str
    words: str
    of: Callable[[Observations, Rows | None], float]


def log(x: float) -> float:
    """Return the decadic logarithm of what is positive and finite; nan of anything else."""
    return math.log10(x) if x > 0 and math.isfinite(x) else NAN
