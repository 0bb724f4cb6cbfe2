"""What is made of a rule for one path through its branches, kept for all steps that take the path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar


class OnPath(Protocol):
    """What is good for some hyperparameters and steps."""

    holds: Callable[[Mapping[str, Any], int], bool]


T = TypeVar("T", bound=OnPath)


def on_path(known: list[T], h: Mapping[str, Any], step: int, make: Callable[[], T]) -> T:
    """Return the one that holds, or make it and keep it among these.

    Args:
        known: those made so far.
        h: the hyperparameters; they and ``step`` decide which branches are taken.
        step: the parameters' own count.
        make: makes one that holds.
    """
    for found in known:
        if found.holds(h, step):
            return found
    known.append(make())
    return known[-1]
