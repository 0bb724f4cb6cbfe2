"""How many proved remedies improve a program's final metric when they are applied from its start.

A remedy that is proved on captured steps is a promise. It is kept where the program with the remedy from its
first step on ends with a strictly better metric than as it is: by the program's own repair where the proved
cause is what is wrong with it, else by hooks (:mod:`descend.diagnosing.applied`). What hooks cannot do counts
as not improved.
"""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from descend.diagnosing.applied import APPLIED
from descend.diagnosing.proof import Verdict
from descend.diagnosing.scoring import told

TIMEOUT = 600.0


class Program(Protocol):
    """A program of the corpus, as far as it is needed here."""

    name: str
    path: Path
    kind: str
    cause: Any
    also: Any
    higher_is_better: bool


@dataclass
class Kept:
    """One proved remedy, and what it did from the start.

    Attributes:
        cause: what it was proved for.
        remedy: what was done.
        before: the control's loss; ``after``: that with the remedy, both on held-back batches.
        by: ``repair``, ``hooks``, or ``nothing`` where neither can apply it.
        metric: of the program as it is; ``with_it``: with the remedy from the start.
        improved: whether that is better.
    """

    cause: str
    remedy: str
    before: float
    after: float
    by: str
    metric: float = math.nan
    with_it: float = math.nan
    improved: bool = False


@dataclass
class Proved:
    """What was proved of one program.

    Attributes:
        name: of it.
        kind: ``faulty`` or ``healthy``.
        causes: the names that count as right.
        replayed: how many of its steps were played and compared; 0: they could not be.
        reason: why not.
        findings: how many there were; ``warned``: the causes warned of after the proof.
        tried: how many experiments were made.
        proved: remedies that help.
        failed: why there is nothing; empty otherwise.
    """

    name: str
    kind: str
    causes: tuple[str, ...]
    replayed: int = 0
    reason: str = ""
    findings: int = 0
    warned: list[str] = field(default_factory=list)
    tried: int = 0
    proved: list[Kept] = field(default_factory=list)
    failed: str = ""


def proved(program: Program, repaired: Callable[[Any], str], seconds: float) -> Proved:
    """Watch a program with the proof switched on, and see whether what was proved holds.

    Args:
        program: the program.
        repaired: returns its source with its own repair.
        seconds: that proving may take.
    """
    causes = (program.cause, *program.also) if program.cause else ()
    result = Proved(program.name, program.kind, causes)
    try:
        said = told(program.path, ["--prove", str(seconds)], TIMEOUT)
        proof = said["proof"]
        result.replayed, result.reason, result.tried = proof["replayed"], proof["reason"], len(proof["tried"])
        result.findings = len(said["findings"])
        result.warned = [f["cause"] for f in said["findings"] if f["severity"] != "info"]
        helped = [one for one in proof["tried"] if one["verdict"] == Verdict.HELPS.value]
        metric = _metric([str(program.path)]) if helped else math.nan
        for one in helped:
            result.proved.append(_kept(program, one, causes, repaired, metric))
    except (subprocess.TimeoutExpired, ValueError, KeyError, IndexError) as error:
        result.failed = f"{type(error).__name__}: {error}"[:200]
    return result


def _kept(
    program: Program,
    one: dict[str, Any],
    causes: tuple[str, ...],
    repaired: Callable[[Any], str],
    metric: float,
) -> Kept:
    own = one["cause"] in causes
    by = "repair" if own else "hooks" if one["hook"].partition(":")[0] in APPLIED else "nothing"
    kept = Kept(one["cause"], one["remedy"], one["before"], one["after"], by, metric)
    if by == "repair":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / program.path.name
            path.write_text(repaired(program), encoding="utf-8")
            kept.with_it = _metric([str(path)])
    elif by == "hooks":
        command = ["-m", "descend", "watch", "--apply", one["hook"], str(program.path)]
        kept.with_it = _metric(command)
    kept.improved = better(metric, kept.with_it, program.higher_is_better)
    return kept


def better(before: float, after: float, higher: bool) -> bool:
    """Whether a metric is better than another; one that is not finite is the worst.

    Example:
        >>> better(0.5, 0.4, higher=False), better(float("nan"), 1.0, True), better(1.0, 1.0, True)
        (True, True, False)
    """
    if not math.isfinite(after):
        return False
    return not math.isfinite(before) or (after > before if higher else after < before)


def _metric(command: list[str]) -> float:
    """Return the metric that a program prints last; nan where it fails."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        stdin=subprocess.DEVNULL,
    )
    return math.nan if done.returncode else metric_of(done.stdout)


def metric_of(printed: str) -> float:
    """Return the metric in the last line of what a program printed; nan where there is none."""
    match = re.search(r"metric:\s*(\S+)\s*$", printed)
    return float(match[1]) if match else math.nan


def score(
    programs: Iterable[Program],
    repaired: Callable[[Any], str],
    seconds: float = 20.0,
    tell: Callable[[Proved], None] = lambda one: None,
) -> dict[str, Any]:
    """Prove what can be proved of programs, one after the other, and return the rates.

    Returns:
        ``programs``: how many; ``replayed``: those whose steps could be played and compared; ``suspected``:
        those with any finding; ``experiments``; ``proved``; ``improve``: the share of proved remedies that
        improve the final metric, None without any; ``results``.
    """
    results: list[Proved] = []
    for program in programs:
        results.append(proved(program, repaired, seconds))
        tell(results[-1])
    every = [one for r in results for one in r.proved]
    return {
        "programs": len(results),
        "suspected": sum(r.findings > 0 for r in results),
        "replayed": sum(r.replayed > 0 for r in results),
        "experiments": sum(r.tried for r in results),
        "proved": len(every),
        "improve": sum(one.improved for one in every) / len(every) if every else None,
        "results": results,
    }
