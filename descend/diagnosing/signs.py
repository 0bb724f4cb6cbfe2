"""All signs. What they tell of is learned from the corpus (:mod:`.weighing`)."""

from __future__ import annotations

import math

from descend.diagnosing.neighbours import rows_told
from descend.diagnosing.sign import Sign
from descend.diagnosing.signs_in_course import COURSE
from descend.diagnosing.signs_in_data import DATA
from descend.diagnosing.signs_in_descent import DESCENT
from descend.diagnosing.signs_in_form import FORM
from descend.watching.observations import Observations

SIGNS: tuple[Sign, ...] = (*DESCENT, *COURSE, *DATA, *FORM)


def values(seen: Observations) -> dict[str, float]:
    """Return each sign's value in a run; nan where it cannot be told."""
    rows = rows_told(seen)
    found = {}
    for sign in SIGNS:
        try:
            value = float(sign.of(seen, rows))
        except (ValueError, ZeroDivisionError, OverflowError, RuntimeError, IndexError, StopIteration):
            value = math.nan  # of another form than expected
        found[sign.name] = value if math.isfinite(value) else math.nan
    return found
