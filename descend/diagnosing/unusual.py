"""How unusual a run is beside sound ones: what may be wrong where nothing is certain.

Each sign is compared with what it was in the sound runs of the corpus's tuning half. What hardly any of them
shows is worth saying, though it is no proof: such findings are never more than informations.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from descend.diagnosing.neighbours import rows_told
from descend.diagnosing.signs import SIGNS, Sign
from descend.diagnosing.suspicion import Suspicion
from descend.watching.observations import Observations

OFTEN = 0.1
"""The share of sound runs that show as much, from which on nothing is said."""
LEAST, MOST = 0.15, 0.42
"""The confidence at that share, and at a twentieth of it."""


@cache
def sound() -> dict[str, list[float]]:
    """Return, for each sign, what it was in sound runs, sorted."""
    return json.loads((files("descend.diagnosing") / "sound.json").read_text())["signs"]


def values(seen: Observations) -> dict[str, float]:
    """Return each sign's value in a run; nan where it cannot be told."""
    rows = rows_told(seen)
    found = {}
    for sign in SIGNS:
        try:
            found[sign.name] = float(sign.of(seen, rows))
        except (ValueError, ZeroDivisionError, OverflowError, RuntimeError, IndexError):
            found[sign.name] = math.nan  # of another form than expected
    return found


def share(name: str, value: float) -> float:
    """Return the share of sound runs in which a sign is as large, somewhat continued beyond the largest."""
    known = sound().get(name, [])
    if not known or not math.isfinite(value):
        return 1.0
    least = 0.5 / (len(known) + 0.5)
    largest, usual = known[-1], known[len(known) // 2]
    if value > largest:
        return least * math.exp(-min(3.0, (value - largest) / max(largest - usual, 1e-6)))
    return (sum(x >= value - 1e-9 for x in known) + 0.5) / (len(known) + 0.5)


def unusual(seen: Observations) -> Iterable[Suspicion]:
    """Suspect, weakly, the causes whose signs are larger than in nearly all sound runs."""
    best: dict[str, tuple[float, Sign, float]] = {}
    found = values(seen)
    for sign in SIGNS:
        value = found[sign.name]
        p = share(sign.name, value)
        if sign.cause not in best or p < best[sign.cause][0]:
            best[sign.cause] = p, sign, value
    for cause, (p, sign, value) in best.items():
        if p < OFTEN:
            sure = LEAST + (MOST - LEAST) * min(1.0, math.log(OFTEN / p) / math.log(20))
            count = len(sound()[sign.name])
            said = f"{sign.said(value)}: {p:.1%} of {count} sound runs show as much."
            yield Suspicion(cause, sure, said[0].upper() + said[1:], weak=True)
