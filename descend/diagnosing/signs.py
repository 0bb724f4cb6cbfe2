"""All signs. What is large for one of them is read from sound runs (:mod:`.unusual`)."""

from __future__ import annotations

from descend.diagnosing.sign import Sign
from descend.diagnosing.signs_in_data import DATA
from descend.diagnosing.signs_in_descent import DESCENT

SIGNS: tuple[Sign, ...] = (*DESCENT, *DATA)
