"""How often the right cause is named, and how often a sound run is accused: measured on a corpus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

SEMANTIC = (
    *("missing-zero-grad", "softmax-before-cross-entropy", "loss-broadcast", "parameters-not-in-optimizer"),
    *("training-in-eval-mode", "evaluating-in-train-mode"),
)
"""Causes that are to be told within :data:`EARLY` steps."""
EARLY = 20
"""Counted from the first step that the fault acts on."""


class Program(Protocol):
    """A program of the corpus, as far as it is needed here."""

    name: str
    path: Path
    kind: str
    cause: Any
    also: Any
    begins: int


@dataclass
class Watched:
    """What watching one program gave.

    Attributes:
        name: of the program.
        kind: ``faulty`` or ``healthy``.
        causes: the names that count as right; empty for a healthy one.
        findings: as ``descend watch --json`` prints them.
        overhead: the share of the training time, as it measured itself.
        early: findings within :data:`EARLY` steps, where that was asked for.
        failed: why there is nothing; empty otherwise.
    """

    name: str
    kind: str
    causes: tuple[str, ...]
    findings: list[dict[str, Any]] = field(default_factory=list)
    overhead: float = 0.0
    early: list[dict[str, Any]] | None = None
    failed: str = ""

    @property
    def warned(self) -> list[str]:
        """The causes that were warned of, in order."""
        return [f["cause"] for f in self.findings if f["severity"] != "info"]

    def rank(self, count: int) -> bool:
        """Whether a right cause is among the first findings."""
        return any(f["cause"] in self.causes for f in self.findings[:count])


def watch(program: Program, early: bool = False, timeout: float = 600) -> Watched:
    """Watch a program in a process of its own.

    Args:
        program: the program.
        early: also what is found within :data:`EARLY` steps, for causes that are to be told by then.
        timeout: seconds it may take.
    """
    causes = (program.cause, *program.also) if program.cause else ()
    result = Watched(program.name, program.kind, causes)
    try:
        all_of_it = told(program.path, [], timeout)
        result.findings, result.overhead = all_of_it["findings"], all_of_it["overhead"]
        if early and program.cause in SEMANTIC:
            steps = str(EARLY + program.begins - 1)
            result.early = told(program.path, ["--steps", steps], timeout)["findings"]
    except (subprocess.TimeoutExpired, ValueError, KeyError, IndexError) as error:
        result.failed = f"{type(error).__name__}: {error}"[:200]
    return result


def told(script: Path, flags: Sequence[str], timeout: float) -> dict[str, Any]:
    """Return what ``descend watch --json`` prints of a script, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "descend", "watch", "--json", *flags, str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    if done.returncode or not done.stdout.strip():
        raise ValueError(done.stderr.strip()[-300:] or f"exit code {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def score(
    programs: Iterable[Program], early: bool = False, tell: Callable[[Watched], None] = lambda one: None
) -> dict[str, Any]:
    """Watch programs one after the other, and return the rates.

    Args:
        programs: the programs.
        early: also measure whether semantic faults are told within :data:`EARLY` steps.
        tell: is handed each result as it comes.

    Returns:
        ``faulty``, ``healthy``: how many; ``first``, ``first_three``, ``warned_first``: shares of the faulty
        ones whose cause is the first finding, among the first three, the first warning; ``false_alarms``: the
        share of healthy ones with any warning; ``overhead_median``, ``overhead_worst`` over the healthy ones;
        ``early``: the share of semantic faults told in time, None where not measured; ``results``.
    """
    results = []
    for program in programs:
        results.append(watch(program, early))
        tell(results[-1])
    faulty = [r for r in results if r.kind == "faulty"]
    healthy = [r for r in results if r.kind == "healthy"]
    asked = [r for r in faulty if r.early is not None]
    in_time = [r for r in asked if any(f["cause"] in r.causes for f in (r.early or [])[:1])]
    costs = [r.overhead for r in healthy if not r.failed]
    return {
        "faulty": len(faulty),
        "healthy": len(healthy),
        "first": _share([r.rank(1) for r in faulty]),
        "first_three": _share([r.rank(3) for r in faulty]),
        "warned_first": _share([bool(r.warned) and r.warned[0] in r.causes for r in faulty]),
        "false_alarms": _share([bool(r.warned) for r in healthy]),
        "overhead_median": median(costs) if costs else None,
        "overhead_worst": max(costs) if costs else None,
        "early": _share([r in in_time for r in asked]) if asked else None,
        "results": results,
    }


def _share(truths: list[bool]) -> float | None:
    return sum(truths) / len(truths) if truths else None
