"""What the applications were measured to reach: figures with the commands that print them."""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("reached.json")
"""Written by ``bench/applications.py``, never by hand."""


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        what: the quantity and the data, such as ``"bits a character, last tenth of six novels"``.
        values: one a seed.
        seconds: of training.
        peers: the same figure of what it is held against, by name, one value a seed.
        command: what prints it.
        machine: processor, cores and versions.
        date: when.
    """

    what: str
    values: list[float]
    seconds: float
    peers: dict[str, list[float]]
    command: str
    machine: str
    date: str

    def __str__(self) -> str:
        """Say it in a line: the median, the range over seeds, and the peers' medians."""
        line = f"{_said(self.values)} {self.what}"
        if self.seconds:
            line += f", {_time(self.seconds)} of training"
        beside = ", ".join(f"{name} {_said(values)}" for name, values in self.peers.items())
        return line + (f" (beside it: {beside})" if beside else "")


def figures(application: str) -> list[Figure]:
    """Return what an application was measured to reach, the first the most important; none where it was not.

    Example:
        >>> figures("chess")
        []
    """
    if not FILE.is_file():
        return []
    saved = json.loads(FILE.read_text(encoding="utf-8"))
    return [Figure(**one) for one in saved.get(application, [])]


def _said(values: list[float]) -> str:
    ordered = sorted(values)
    middle = ordered[len(ordered) // 2]
    if len(ordered) == 1 or f"{ordered[0]:.3g}" == f"{ordered[-1]:.3g}":
        return f"{middle:.3g}"
    return f"{middle:.3g} ({ordered[0]:.3g}–{ordered[-1]:.3g})"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 120 else f"{seconds / 60:g} min"
