"""Runs as the lab shows them: which there are, their curves, what was found wrong, live.

A list of ten thousand runs is on the screen at once, since only the newest are opened, and none twice; a
curve of a million steps is drawn from as many points as a screen has columns, among which are the least and
the greatest value of every column.
"""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from descend.descent.record_file import (
    read_events,
    read_findings,
    read_rows,
    read_rows_of_each,
    series_names,
)
from descend.errors import UsageError
from descend.runs.lock import being_written

SHOWN = (
    "name",
    "started",
    "finished",
    "method",
    "steps",
    "seconds",
    "loss",
    "validation_loss",
    "metrics",
    "outcome",
    "count",
    "function",
    "target",
)
POINTS = 1500
"""Points of a curve."""


@dataclass(frozen=True)
class _Seen:
    """What was read of a ``run.json``, and when it was written."""

    written: tuple[int, int]
    facts: dict[str, Any]


class Runs:
    """The runs in a folder.

    Args:
        folder: which holds a folder a run.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()

    def names(self, search: str = "") -> list[str]:
        """Return the names of the runs, the newest first.

        Args:
            search: only those with all of its words in their names.
        """
        words = search.lower().split()
        found: list[tuple[int, str]] = []
        try:
            places = list(_folders(self.folder))
        except OSError:
            return []
        for name, path in places:
            if all(word in name.lower() for word in words):
                try:
                    found.append((path.stat().st_mtime_ns, name))
                except OSError:
                    continue
        return [name for _, name in sorted(found, reverse=True)]

    def page(self, search: str = "", first: int = 0, count: int = 100) -> dict[str, Any]:
        """Return some of the runs, the newest first, and how many there are.

        Args:
            search: see :meth:`names`.
            first: how many to leave out.
            count: how many to return.
        """
        names = self.names(search)
        rows = [
            self.facts(name) | {"going": being_written(self.folder / name)}
            for name in names[first : first + count]
        ]
        return {"all": len(names), "first": first, "runs": rows, "folder": str(self.folder)}

    def place(self, name: str) -> Path:
        """Return the folder of a run.

        Raises:
            UsageError: where there is no such run; also where the name leads out of the runs' folder.
        """
        place = self.folder / name
        plain = bool(name) and not name.startswith(".") and "/" not in name and "\\" not in name
        if not plain or "\0" in name or not (place / "run.json").is_file():
            raise UsageError("the name of a run", repr(name[:80]), "choose one of the list")
        if place.resolve().parent != self.folder.resolve():
            raise UsageError("a run in the runs' folder", "one that leads out of it", "copy it there")
        return place

    def facts(self, name: str) -> dict[str, Any]:
        """Return what the list says of a run; it is read once, until it is written again."""
        path = self.folder / name / "run.json"
        try:
            state = path.stat()
            written = (state.st_mtime_ns, state.st_size)
            with self._lock:
                known = self._seen.get(name)
            if known is not None and known.written == written:
                return known.facts
            whole = json.loads(path.read_bytes())
            facts = {key: whole.get(key) for key in SHOWN} | {"run": name, "broken": False}
            settings = whole.get("settings") or {}
            facts["lr"] = (whole.get("hyperparameters") or {}).get("lr")
            facts["threads"] = settings.get("threads")
            facts["trajectory"] = (path.parent / "trajectory.safetensors").exists()
            facts["report"] = (path.parent / "report.html").exists()
        except (OSError, ValueError, AttributeError, TypeError):
            return dict.fromkeys(SHOWN) | {"run": name, "broken": True}
        with self._lock:
            self._seen[name] = _Seen(written, facts)
        return facts

    def whole(self, name: str) -> dict[str, Any]:
        """Return all that a run's own page shows.

        Raises:
            UsageError: where there is no such run.
        """
        place = self.place(name)
        facts = json.loads((place / "run.json").read_bytes())
        record = place / "record.db"
        if not record.exists():
            return {"facts": facts, "series": [], "events": [], "findings": []}
        return {
            "facts": facts,
            "series": series_names(record),
            "events": read_events(record),
            "findings": read_findings(record),
        }

    def curve(
        self, name: str, series: str, points: int = POINTS, low: int | None = None, high: int | None = None
    ) -> dict[str, Any]:
        """Return a series, thinned so that the least and the greatest value of each bucket stay.

        Args:
            name: of the run.
            series: such as loss.
            points: about as many points are returned.
            low: the first step; ``None`` for the first that there is.
            high: the last step.

        Returns:
            ``steps`` and ``values``, in the order of steps; ``count``, how many there are; ``last``, the last
            step recorded.

        Raises:
            UsageError: where there is no such run.
            RunError: where the record is damaged.
        """
        record = self.place(name) / "record.db"
        if not record.exists():
            return self.nothing(series)
        ends = "SELECT min(step), max(step), count(*) FROM metrics WHERE name = ? AND step BETWEEN ? AND ?"
        least = -(2**62) if low is None else low
        most = 2**62 if high is None else high
        ((first, last, count),) = read_rows(record, ends, (series, least, most))
        if not count:
            return self.nothing(series)
        if count <= points:
            rows = read_rows(
                record,
                "SELECT step, value FROM metrics WHERE name = ? AND step BETWEEN ? AND ? ORDER BY step",
                (series, first, last),
            )
        else:
            rows = _thinned(record, series, first, last, max(1, points // 2))
        steps, values = [step for step, _ in rows], [_number(value) for _, value in rows]
        return {"series": series, "steps": steps, "values": values, "count": count, "last": last}

    @staticmethod
    def nothing(series: str) -> dict[str, Any]:
        """Return a curve without points."""
        return {"series": series, "steps": [], "values": [], "count": 0, "last": None}

    def since(self, name: str, series: str, step: int, most: int = 5000) -> tuple[list[int], list[Any]]:
        """Return what a series has beyond a step: the last ``most`` points of it."""
        record = self.place(name) / "record.db"
        if not record.exists():
            return [], []
        rows = read_rows(
            record,
            "SELECT step, value FROM metrics WHERE name = ? AND step > ? ORDER BY step DESC LIMIT ?",
            (series, step, most),
        )
        rows.reverse()
        return [s for s, _ in rows], [_number(v) for _, v in rows]


def _folders(folder: Path) -> Iterator[tuple[str, Path]]:
    import os

    with os.scandir(folder) as entries:
        for entry in entries:
            path = Path(entry.path, "run.json")
            if not entry.name.startswith(".") and entry.is_dir() and path.is_file():
                yield entry.name, path


def _thinned(
    record: Path, series: str, first: int, last: int, buckets: int
) -> list[tuple[int, float | None]]:
    """Return the least and the greatest value of each bucket of steps, and a gap where one is no number."""
    # A query a bucket, each a stretch of the primary key: grouped in one query they took three times as
    # long. SQLite keeps NaN as NULL, which neither min nor max sees: so they are counted.
    steps = last - first + 1
    bounds = [first + k * steps // buckets for k in range(buckets + 1)]
    rows = read_rows_of_each(
        record,
        "SELECT min(step), max(step), min(value), max(value), count(*) - count(value) FROM metrics "
        "WHERE name = ? AND step BETWEEN ? AND ?",
        [(series, low, high - 1) for low, high in pairwise(bounds)],
    )
    found: list[tuple[int, float | None]] = []
    for begin, end, least, most, missing in rows:
        if least is not None:
            found.append((begin, least))
            if most != least:
                found.append((end, most))
        if missing:
            found.append((end, None))
    return found


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
