"""All detectors, and what they find together."""

from __future__ import annotations

from descend.diagnosing import dynamics, inputs, invariants, labels, objectives, settings, signal
from descend.diagnosing.finding import Finding
from descend.diagnosing.ranking import ranked
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.diagnosing.unusual import unusual
from descend.watching.observations import Observations

DETECTORS: tuple[Detector, ...] = (
    *invariants.DETECTORS,
    *objectives.DETECTORS,
    *settings.DETECTORS,
    *inputs.DETECTORS,
    *labels.DETECTORS,
    *signal.DETECTORS,
    *dynamics.DETECTORS,
)


def findings(seen: Observations) -> list[Finding]:
    """Return what is wrong with a run, the most probable root cause first."""
    suspicions: list[Suspicion] = []
    for detector in DETECTORS:
        suspicions += detector(seen)
    return ranked([*suspicions, *unusual(seen)])
