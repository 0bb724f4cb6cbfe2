"""How a hyperparameter goes over a descent: warm up, then decay.

A schedule is a function of the share of the descent that is done (0 to 1), so that one text serves
descents limited by steps and by time. It returns a factor on the hyperparameter's own value.
"""

import math
from collections.abc import Callable

from descend.errors import UsageError, nearest


def _constant(t: float) -> float:
    return 1.0


def _linear(t: float) -> float:
    return 1.0 - t


def _cosine(t: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * t))


def _wsd(t: float) -> float:
    """Stay, then go down in a straight line over the last fifth (Hägele et al. 2024, arXiv:2405.18392)."""
    return 1.0 if t < 0.8 else (1.0 - t) / 0.2


def _one_cycle(t: float) -> float:
    """Up from 1/25 over three tenths, down to almost nothing (Smith & Topin 2018, arXiv:1708.07120)."""
    low, end = 1 / 25, 1 / 25e4
    if t < 0.3:
        return low + (1 - low) * (1 - _cosine(t / 0.3))
    return end + (1 - end) * _cosine((t - 0.3) / 0.7)


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "wsd": _wsd,
    "one-cycle": _one_cycle,
    "inverse-sqrt": lambda t: 1.0,  # depends on where the warm-up ended: see Schedule
}


class Schedule:
    """A warm-up and a decay.

    Args:
        name: one of :data:`SCHEDULES`.
        warmup: the share of the descent, in [0, 1), over which the factor rises from nothing in a
            straight line. One-cycle has its own rise and takes none.

    Raises:
        UsageError: where the name is unknown or the share is not in [0, 1).

    Example:
        >>> s = Schedule("linear", warmup=0.5)
        >>> s(0.25), s(0.5), s(0.75)
        (0.5, 1.0, 0.5)
    """

    def __init__(self, name: str, warmup: float = 0.0):
        plain = name.lower().replace("_", "-")
        if plain not in SCHEDULES:
            raise UsageError("the name of a schedule", repr(name), nearest(name, list(SCHEDULES)))
        if not 0 <= warmup < 1:
            raise UsageError("a share in [0, 1) for warmup", repr(warmup), "0.05 warms up over a twentieth")
        self.name, self.warmup = plain, 0.0 if plain == "one-cycle" else warmup
        self._decay = SCHEDULES[plain]

    def __call__(self, done: float) -> float:
        """Return the factor when the share ``done`` of the descent lies behind."""
        done = min(max(done, 0.0), 1.0)
        if done < self.warmup:
            return max(done / self.warmup, 0.01)  # no step is taken in vain
        if self.name == "inverse-sqrt":
            start = max(self.warmup, 0.01)
            return math.sqrt(start / max(done, start))
        return self._decay((done - self.warmup) / (1.0 - self.warmup))
