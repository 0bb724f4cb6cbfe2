"""The causes that are known: what each is, what it makes others look like, and what to do about it."""

from __future__ import annotations

from descend.diagnosing.cause import Cause
from descend.diagnosing.causes_in_code import CODE
from descend.diagnosing.causes_in_descent import DESCENT

CAUSES: dict[str, Cause] = {cause.name: cause for cause in (*DESCENT, *CODE)}
"""Every cause by name."""

__all__ = ["CAUSES", "Cause"]
