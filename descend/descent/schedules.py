"""How a hyperparameter goes over a descent: warm up, then decay.

A schedule is a function of the share of the descent that is done (0 to 1), so that one text serves
descents limited by steps and by time. It returns a factor on the hyperparameter's own value.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

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


class Schedules:
    """The schedules of a method's hyperparameters: the learning rate's, and any other's.

    Args:
        text: a schedule's name for the learning rate, and ``name=schedule`` for other hyperparameters, apart
            by commas. What stands after ``=`` is a schedule's name (a factor on the hyperparameter's own
            value), or ``A..B``, a straight line from A to B over the descent. ``betas.0`` is the first of
            several numbers.
        warmup: of the learning rate, as in :class:`Schedule`.

    Raises:
        UsageError: where a part cannot be read.

    Example:
        >>> s = Schedules("cosine, weight_decay=linear, betas.0=0.8..0.9")
        >>> s.at(0.0, {"lr": 1.0, "weight_decay": 0.1, "betas": (0.9, 0.999)})
        {'lr': 1.0, 'weight_decay': 0.1, 'betas': (0.8, 0.999)}
    """

    def __init__(self, text: str, warmup: float = 0.0):
        self.rate = Schedule("constant", warmup)
        self.others: dict[str, Schedule | tuple[float, float]] = {}
        for part in text.split(","):
            name, given, what = (x.strip() for x in part.partition("="))
            if not given or name == "lr":
                self.rate = Schedule(what or name, warmup)
            elif ".." in what:
                self.others[name] = _ends(part.strip(), *what.split("..", 1))
            else:
                self.others[name] = Schedule(what)

    def check(self, hyperparameters: Mapping[str, Any]) -> None:
        """Refuse a name that is no numeric hyperparameter of the method.

        Args:
            hyperparameters: the method's, with their values.
        """
        numbers = [n for n, x in hyperparameters.items() if _is_number(x)]
        numbers += [
            f"{n}.{i}" for n, x in hyperparameters.items() if isinstance(x, tuple) for i in range(len(x))
        ]
        for name in self.others:
            if name not in numbers:
                raise UsageError("a number among the method's hyperparameters", name, nearest(name, numbers))

    def at(self, done: float, base: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values when the share ``done`` lies behind.

        Args:
            done: in [0, 1].
            base: the hyperparameters' own values.
        """
        values: dict[str, Any] = {"lr": base["lr"] * self.rate(done)}
        for name, how in self.others.items():
            whole, _, place = name.partition(".")
            if whole not in base:  # parameters that another method descends
                continue
            own = values.get(whole, base[whole])
            value = base[whole][int(place)] if place else own
            if isinstance(how, tuple):
                value = how[0] + (how[1] - how[0]) * min(max(done, 0.0), 1.0)
            else:
                value = value * how(done)
            values[whole] = (
                tuple(value if str(i) == place else x for i, x in enumerate(own)) if place else value
            )
        return values


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _ends(part: str, first: str, last: str) -> tuple[float, float]:
    try:
        return float(first), float(last)
    except ValueError:
        raise UsageError("two numbers, A..B", repr(part), "for example momentum=0.85..0.95") from None
