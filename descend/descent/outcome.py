"""How a descent ended: never with a bare number."""

from enum import Enum


class Outcome(Enum):
    """The ways a descent ends; each value is its plain name."""

    MINIMUM = "minimum"
    SATISFIED = "satisfied"
    OUT_OF_STEPS = "out of steps"
    OUT_OF_TIME = "out of time"
    NO_MORE_PROGRESS = "no more progress"
    DIVERGED = "diverged"
    NOT_FINITE = "not finite"
    INTERRUPTED = "interrupted"

    @property
    def failed(self) -> bool:
        """Whether the descent went wrong, so that its result should not be used."""
        return self in (Outcome.DIVERGED, Outcome.NOT_FINITE)

    @property
    def meaning(self) -> str:
        """One sentence that says what this ending means."""
        return _MEANING[self]


_MEANING = {
    Outcome.MINIMUM: "The gradient vanished: this is a minimum, or a point as flat as one.",
    Outcome.SATISFIED: "The goal that was set is reached.",
    Outcome.OUT_OF_STEPS: "All the steps that were given are taken.",
    Outcome.OUT_OF_TIME: "The time that was given is over.",
    Outcome.NO_MORE_PROGRESS: "It stopped improving.",
    Outcome.DIVERGED: "The loss rose instead of falling: the learning rate is probably too high.",
    Outcome.NOT_FINITE: "The loss is no longer a finite number.",
    Outcome.INTERRUPTED: "It was interrupted; its state is saved.",
}
