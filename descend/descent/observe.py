"""Looking at a descent from outside, without touching it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from descend.descent.descent import Descent


@dataclass(frozen=True)
class Progress:
    """Where a descent stands.

    Attributes:
        step: updates taken.
        steps: updates to take, where that is a bound.
        seconds: time spent.
        seconds_limit: time to spend, where that is a bound.
        epoch: passes over the data, a fraction included.
        loss: the smoothed training loss.
        validation: the latest validation loss and metric, by name.
        lr: the learning rate now.
        rate: updates a second, lately.
        fraction: the share that is done, 0 to 1, where a bound tells.
        time_left: seconds until the nearest bound, where one tells.
    """

    step: int
    steps: int | None
    seconds: float
    seconds_limit: float | None
    epoch: float
    loss: float
    lr: float
    rate: float
    fraction: float | None
    time_left: float | None
    validation: dict[str, float] = field(default_factory=dict)


class Observer(Protocol):
    """Something that is shown the descent from time to time."""

    every_seconds: float
    """How often at the most."""

    def look(self, descent: "Descent", now: Progress) -> None:
        """See where the descent stands; it must not be changed."""
        ...
