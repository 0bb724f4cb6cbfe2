"""What a sign is: a number that describes a run, without a threshold of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from descend.diagnosing.neighbours import Rows
from descend.watching.observations import Observations

NAN = math.nan


@dataclass(frozen=True)
class Sign:
    """A number that describes a run.

    What it tells of is not said here: that is learned from the corpus (:mod:`.weighing`).

    Attributes:
        name: of the sign.
        words: what is said of it, with ``{}`` for its value; ``10^{:.1f}`` where that is a logarithm.
        of: tells its value, of what was seen and of the examples (None where there are none); nan where it
            cannot be told.
    """

    name: str
    words: str
    of: Callable[[Observations, Rows | None], float]

    def said(self, value: float) -> str:
        """Return the words with a value, logarithms as the numbers that they are of."""
        words = self.words.replace("10^{:.1f}", f"{10**value:.2g}") if abs(value) < 300 else self.words
        return words.format(value)


def log(x: float) -> float:
    """Return the decadic logarithm of what is positive and finite; nan of anything else."""
    return math.log10(x) if x > 0 and math.isfinite(x) else NAN
