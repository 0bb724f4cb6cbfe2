"""A finding: what is wrong, how sure that is, what was seen of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

WORTH_TELLING = 0.1
"""The confidence below which a person is not told of a finding, unless its remedy was tried."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a run.

    Attributes:
        cause: its name, one of :data:`descend.diagnosing.causes.CAUSES`.
        severity: ``info`` (possible), ``warning`` or ``error`` (what is trained cannot be what was meant).
        confidence: how likely it is that this is the root cause, 0 to 1.
        evidence: what was seen, with numbers.
        remedy: what to do.
        effect: what the remedy was measured to do; ``None`` where it was not tried.
        where: the parameter, layer or loss function; empty for the whole run.
        step: the step from which it could be told; 0: only at the end.
        explains: further causes that the run looks like having because of this one.
        weak: whether it is only weighed from many signs: no warning, even if the remedy helps.
    """

    cause: str
    severity: str
    confidence: float
    evidence: str
    remedy: str
    effect: str | None = None
    where: str = ""
    step: int = 0
    explains: tuple[str, ...] = ()
    weak: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as ``descend watch --json`` prints it."""
        return {
            "cause": self.cause,
            "severity": self.severity,
            "confidence": round(self.confidence, 3),
            "evidence": self.evidence,
            "remedy": self.remedy,
            "effect": self.effect,
            "where": self.where,
            "step": self.step,
            "explains": list(self.explains),
        }
