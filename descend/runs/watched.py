"""A fit with somebody watching: what was found wrong, the proof, and what both cost.

The descent is watched within its budget. Once it has ended, whichever way, what was seen becomes findings;
where one of them is a warning or an error, remedies are tried on forks beside unchanged controls. That takes
a tenth of the training time, unless told otherwise, and nothing at all where a tenth is too short for an
answer. Where a bound on the time is given, it holds: shortly before it is reached the findings so far are
looked at, and if there is something to prove, the descent (and its schedule) ends a tenth earlier.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from descend.descent.descent import Descent
from descend.descent.observe import Progress
from descend.descent.outcome import Outcome
from descend.descent.record_file import read_series, write_findings
from descend.descent.state import State
from descend.descent.until import Until
from descend.diagnosing.finding import Finding
from descend.watching.observations import Observations
from descend.watching.of_descent import DescentWatcher, complete
from descend.watching.warming import warm

if TYPE_CHECKING:
    from descend.descent.record import Record
    from descend.runs.run import Run

TENTH = 0.1
"""The share of the training time that proof may take, unless told otherwise."""
LEAST = 0.5
"""Seconds: in less, nothing is tried."""
LOOK = 0.85
"""The share of a bound on the time at which the findings so far are looked at."""
KEPT = 256 << 20
"""Bytes that a state may have that is kept, for remedies that are tried from the middle on."""


@dataclass
class Concluded:
    """What watching came to.

    Attributes:
        findings: what is wrong, the most probable root cause first.
        tried: every experiment, as :class:`descend.diagnosing.diagnose.Diagnosis` has it.
        facts: what ``run.json`` says of it, as ``watching``.
    """

    findings: list[Finding]
    tried: list[dict[str, Any]]
    facts: dict[str, Any]


class Watched:
    """Watches the descent of a run; an observer of it.

    Args:
        descent: it.
        until: when it stops.
        record: what it writes down.
        budget: the share of the time that watching may take.
        prove: seconds for trying remedies; ``None``: a tenth of the training time.
    """

    every_seconds = 0.5

    def __init__(
        self, descent: Descent, until: Until, record: Record, budget: float = 0.03, prove: float | None = None
    ):
        warm()
        self.watcher = DescentWatcher(descent, budget)
        self._descent, self._until, self._record = descent, until, record
        self._budget, self._prove = budget, prove
        self._first, self._seconds = descent.steps, descent.seconds
        self._clock = time.perf_counter() - descent.seconds
        self._middle: tuple[State, float] | None = None
        self._passed_middle = False
        self._concluding = 0.0
        bound = until.seconds
        reserve = TENTH * bound if bound is not None and prove is None else 0.0
        self._look_at = LOOK * bound if bound is not None and reserve >= LEAST else math.inf

    def __enter__(self) -> Watched:
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.watcher.leave()
        self._descent.around_backward = self._descent.around_evaluation = None

    def look(self, descent: Descent, now: Progress) -> None:
        """Keep a state of the middle; look at the findings so far shortly before the time is over."""
        self.watcher.pass_by()
        fraction = now.fraction or 0.0
        if not self._passed_middle and fraction >= 0.5:
            self._passed_middle = True
            if fraction < 0.9 and self._prove != 0 and _size(descent) <= KEPT:
                self._middle = descent.snapshot(), fraction
        if now.seconds >= self._look_at:
            self._look_at = math.inf
            if _serious(self._findings(self._seen(True))) and self._until.seconds is not None:
                # What the look has just taken is taken once more when all is over.
                again = min(self._concluding, TENTH * self._until.seconds / 2)
                descent.end_by = max(now.seconds, (1 - TENTH) * self._until.seconds - again)
            self.watcher.start()

    def conclude(self, run: Run, outcome: Outcome) -> Concluded:
        """Say what was found once the descent has ended.

        Args:
            run: where it is written, before and after remedies are tried: these may be interrupted.
            outcome: how it ended.
        """
        interrupted = outcome is Outcome.INTERRUPTED
        # Copies of the function have answered already where the findings were looked at before the end.
        seen = self._seen(not interrupted and self._descent.end_by == math.inf)
        found = self._earlier(run, self._findings(seen))
        facts = {
            "budget": self._budget,
            "overhead": seen.overhead,
            "seconds": seen.spent,
            "steps": seen.steps - self._first,
            "windows": len(seen.windows),
            "not_measured": list(dict.fromkeys(seen.not_measured)),
            "concluding(s)": self._concluding,
            "proof": None,
        }
        said = Concluded(found, [], facts)
        # That it failed is sure, however unsure it is why.
        serious = _serious(found) or (found if outcome.failed else [])
        seconds, why = self._time(run, interrupted)
        if serious and seconds < LEAST:
            facts["proof"] = {"seconds": 0.0, "given": 0.0, "left_out": [why]}
            said.findings = [
                replace(one, effect=f"not tried: {why}") if one in serious and not one.effect else one
                for one in found
            ]
        self._write(run, said)
        if serious and seconds >= LEAST:
            said = self._proved(run, said, seen, outcome, seconds)
            self._write(run, said)
        return said

    # Seeing -----------------------------------------------------------------------------------------
    def _seen(self, probe: bool) -> Observations:
        began = time.perf_counter()
        seen = self.watcher.stop(probe)
        self._record.wait()
        series = [read_series(self._record.path, name) for name in ("loss", "learning-rate")]
        self.watcher.guarded(self.watcher.seen_again)(series[0][1])
        complete(seen, self._descent, series[0], series[1])
        self._concluding += time.perf_counter() - began
        return seen

    def _findings(self, seen: Observations) -> list[Finding]:
        """Return the findings; whatever goes wrong with that is not the run's fault."""
        from descend.diagnosing.detectors import findings

        began = time.perf_counter()
        try:
            with np.errstate(all="ignore"):
                return findings(seen) if seen.windows else []
        except Exception as error:
            seen.not_measured.append(f"what is wrong: {type(error).__name__}: {error}")
            return []
        finally:
            self._concluding += time.perf_counter() - began

    def _earlier(self, run: Run, found: list[Finding]) -> list[Finding]:
        """Add what was found before the run was resumed, where that part of it was the longer one."""
        before = run.facts.get("watching") or {}
        if not self._first or (before.get("steps") or 0) <= self._descent.steps - self._first:
            return found
        known = {one.cause for one in found}
        return found + [one for one in run.findings if one.cause not in known]

    # Proving ----------------------------------------------------------------------------------------
    def _time(self, run: Run, interrupted: bool) -> tuple[float, str]:
        """Return the seconds that are there for proof, and, where there are too few, why."""
        command = f"`descend diagnose {run.folder}` tries it"
        if interrupted:
            return 0.0, "the run was interrupted"
        if self._prove is not None:
            return self._prove, f"no time was given for it; {command}"
        tenth, bound = TENTH * self._descent.seconds, self._until.seconds
        if bound is not None:
            left = self._clock + bound - time.perf_counter()
            if left < LEAST <= tenth:
                return 0.0, f"the {bound:g} s that were given are over; {command}"
            tenth = min(tenth, left)
        return tenth, f"a tenth of {self._descent.seconds:.1f} s of training is too short for it; {command}"

    def _proved(
        self, run: Run, said: Concluded, seen: Observations, outcome: Outcome, seconds: float
    ) -> Concluded:
        from descend.diagnosing.diagnose import Watched as Seen
        from descend.diagnosing.diagnose import proved_by_trying
        from descend.diagnosing.proof import as_dict

        own, began = self._descent, time.perf_counter()
        steps = max(2, self._until.steps or own.steps)
        settings = replace(own.settings, steps=steps)
        later, share = self._middle if self._middle is not None and not outcome.failed else (None, 0.0)
        taken = max(1, own.steps - self._first)
        pace = (own.seconds - self._seconds) / taken
        failure, proof = "", None
        try:
            fresh = Descent(own.problem, seed=own.seed, device=own.device, **as_dict(settings))
            proof = proved_by_trying(
                fresh, Seen(seen, later, share, pace), said.findings, own.seed, began + seconds
            )
        except KeyboardInterrupt:
            failure = "it was interrupted"
        except Exception as error:  # such as a loader that cannot be begun again: the run itself is done
            failure = f"{type(error).__name__}: {error}"
        if proof is None:
            found = [replace(one, effect=one.effect or f"not tried: {failure}") for one in said.findings]
            return replace(said, findings=found, facts=_with(said.facts, began, seconds, [failure]))
        return Concluded(proof.findings, proof.tried, _with(said.facts, began, seconds, proof.left_out))

    def _write(self, run: Run, said: Concluded) -> None:
        rows = []
        for one in said.findings:
            named = {one.cause, *one.explains}
            rows.append(one.as_json() | {"tried": [t for t in said.tried if t["cause"] in named]})
        write_findings(self._record.path, rows, self._descent.steps)
        run.write(watching=said.facts)


def _with(facts: dict[str, Any], began: float, given: float, left_out: list[str]) -> dict[str, Any]:
    proof = {"seconds": time.perf_counter() - began, "given": given, "left_out": left_out}
    return {**facts, "proof": proof}


def _serious(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.severity != "info"]


def _size(descent: Descent) -> int:
    """Return about how many bytes a state has."""
    own = sum(v.nbytes for v in descent.function.state_dict().values())
    kept = (v for state in descent.method.state.values() for v in state.values())
    return own * (2 if descent.best is not None else 1) + sum(getattr(v, "nbytes", 0) for v in kept)
