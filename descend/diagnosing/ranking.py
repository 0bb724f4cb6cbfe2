"""From suspicions to findings: root causes first, and what they explain not at all.

One fault trips many signals. A cause is explained away as far as another one is sure that makes a run look
as if it had it (:attr:`.causes.Cause.makes`), unless it is an invariant that is broken: that is a fact of its
own, whatever else is wrong. What detectors are not sure of is ordered by how everything that was noticed
weighs together (:mod:`.weighing`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from descend.diagnosing.causes import CAUSES
from descend.diagnosing.finding import Finding
from descend.diagnosing.suspicion import Suspicion

WARNING = 0.6
"""The confidence from which a detector's word stands, and a finding is a warning. Below it everything is
weighed together, and a finding is an information.

Sound runs of the tuning half reach 0.49: what they reach elsewhere is somewhat above."""
SURE, LIKELY, POSSIBLE = 0.8, 0.08, 0.03
"""A detector that is less sure than the first warns of nothing where everything together makes its cause less
probable than the second, and is not believed below the third: what it saw has another reason."""
LEAST = 0.15
"""The confidence below which nothing is said."""
EXPLAINED = 0.85
"""How much of a confidence a certain cause takes from what it explains."""


def ranked(suspicions: Iterable[Suspicion], weighed: Iterable[Suspicion] = ()) -> list[Finding]:
    """Return findings, the most probable root cause first.

    Args:
        suspicions: what detectors say.
        weighed: how probable causes are by everything together; where it is left out, detectors alone speak.
    """
    found = _by_detectors(suspicions)
    others = {one.cause: one for one in weighed}
    if not others:
        return found
    sure = []
    for one in found:
        share = others[one.cause].confidence if one.cause in others else 0.0
        if one.confidence >= SURE or (one.confidence >= WARNING and share >= LIKELY):
            sure.append(one)
        elif one.confidence >= WARNING and share >= POSSIBLE:
            sure.append(replace(one, confidence=WARNING - 0.01, severity="info"))
    sure.sort(key=lambda one: one.severity == "info")
    said = {one.cause for one in sure}
    rest = sorted((s for s in others.values() if s.cause not in said), key=lambda s: -s.confidence)
    return sure + [_finding(s, min(s.confidence, WARNING - 0.01), []) for s in rest]


def _by_detectors(suspicions: Iterable[Suspicion]) -> list[Finding]:
    best: dict[str, Suspicion] = {}
    for one in suspicions:
        known = best.get(one.cause)
        if known is None or (one.confidence, one.certain) > (known.confidence, known.certain):
            best[one.cause] = one
    confidence = {name: one.confidence for name, one in best.items()}
    explained: dict[str, list[str]] = {name: [] for name in best}
    for name, one in best.items():
        if one.certain:
            continue
        for other, reason in best.items():
            if other == name or name not in CAUSES[other].makes:
                continue
            mutual = other in CAUSES[name].makes
            if mutual and not reason.certain and reason.confidence <= one.confidence:
                continue  # the surer of two that explain each other is the cause
            taken = 1 - EXPLAINED * reason.confidence
            if one.confidence * taken < confidence[name]:
                confidence[name] = one.confidence * taken
            if reason.confidence >= WARNING:
                explained[other].append(name)
    order = sorted(
        best, key=lambda name: (-confidence[name], not best[name].certain, best[name].step or 1 << 40)
    )
    return [
        _finding(best[name], confidence[name], explained[name]) for name in order if confidence[name] >= LEAST
    ]


def _finding(one: Suspicion, confidence: float, explains: list[str]) -> Finding:
    cause = CAUSES[one.cause]
    severity = cause.severity if confidence >= WARNING else "info"
    return Finding(
        one.cause,
        severity,
        confidence,
        one.evidence,
        cause.remedy,
        where=one.where,
        step=one.step,
        explains=tuple(explains),
        weak=one.weak,
    )
