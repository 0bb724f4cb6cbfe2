"""What a detector says: a cause, how sure it is, and what it saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from descend.watching.observations import Observations


@dataclass(frozen=True)
class Suspicion:
    """A cause that fits what was seen.

    Attributes:
        cause: one of :data:`descend.diagnosing.causes.CAUSES`.
        confidence: how likely it is that this is what is wrong, 0 to 1: about the share of runs showing this
            evidence in which it is. An invariant that is broken is 0.9 or more.
        evidence: what was seen, with numbers, in one or two sentences.
        certain: whether an invariant is broken: something that no sound run does.
        where: the parameter, layer or loss function; empty for the whole run.
        step: the step at which it could be told first.
        weak: whether it is only weighed from many signs: never a warning.
    """

    cause: str
    confidence: float
    evidence: str
    certain: bool = False
    where: str = ""
    step: int = 0
    weak: bool = False


Detector = Callable[[Observations], Iterable[Suspicion]]
"""Looks at what was seen of a run, and says what it suspects."""
