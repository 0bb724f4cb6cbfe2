"""What a cause is: something that goes wrong with a descent."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Something that goes wrong with a descent.

    Attributes:
        name: as findings have it.
        meaning: what is wrong, in one sentence.
        remedy: what to do, in one sentence.
        signal: what is seen of it.
        makes: causes that it makes a run look like it had, though it has not.
        unlike: how it is told apart from what looks like it.
        severity: of a finding: ``error`` where what is trained cannot be what was meant, else ``warning``.
    """

    name: str
    meaning: str
    remedy: str
    makes: tuple[str, ...] = ()
    severity: str = "warning"
    signal: str = ""
    unlike: str = ""


SLOW = ("learning-rate-too-low", "underfitting")
WILD = ("learning-rate-too-high", "exploding-gradients", "momentum-too-high")
"""What many causes make a run look like: it hardly learns; it leaps."""
