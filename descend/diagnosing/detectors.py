"""All detectors, and what they find together."""

from __future__ import annotations

from descend.diagnosing import dynamics, inputs, invariants, labels, objectives, settings, signal
from descend.diagnosing.finding import Finding
from descend.diagnosing.ranking import ranked
from descend.diagnosing.suspicion import Detector, Suspicion
from descend.diagnosing.weighing import weighed
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


def suspicions(seen: Observations) -> list[Suspicion]:
    """Return what detectors suspect of a run, each for itself."""
    return [one for detector in DETECTORS for one in detector(seen)]


def findings(seen: Observations) -> list[Finding]:
    """Return what is wrong with a run, the most probable root cause first."""
    found = suspicions(seen)
    return ranked(found, weighed(seen, found))
