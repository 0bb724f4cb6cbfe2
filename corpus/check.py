"""Runs programs of the corpus, faulty ones also repaired, and says whether they keep the corpus's promise.

    python corpus/check.py [NAME ...] [--kind faulty|healthy]

A healthy program ends with a finite metric. A faulty one gets clearly better by its repair
(`clearly_better`).
"""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from programs import HERE, KINDS, Program, programs, read, repaired

TIMEOUT = 120
# The fault lies in how the metric is measured, so that the metric cannot show all of the harm.
ONLY_VISIBLY = frozenset({"evaluating-in-train-mode"})


def measure(path: Path) -> tuple[float, float]:
    """The metric that a program prints last, and the processor seconds that it took, on one thread.

    Raises:
        RuntimeError: the program failed, took too long, or did not end with a metric.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, str(path)], env=environment, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"did not end within {TIMEOUT} s") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    last = (done.stdout.strip().splitlines() or [""])[-1]
    match = re.fullmatch(r"metric:\s*(\S+)", last)
    if not match:
        raise RuntimeError(f"the last line is {last!r}, not a metric")
    return float(match[1]), seconds


def clearly_better(faulty: float, fixed: float, higher: bool, visibly: bool = False) -> bool:
    """Whether a repaired metric is so much better than the faulty one that the fault was one.

    A share of at most 1 where higher is better (accuracy, R²) gains 0.05, or its distance to 1 shrinks to
    0.7 times. Any other metric improves by 0.3 times the larger of the two (a loss falls to 0.7 times). A
    metric that is not finite is the worst.

    Args:
        faulty: the metric before the repair.
        fixed: the metric after it.
        higher: whether higher is better.
        visibly: a third of these improvements is enough.
    """
    if not math.isfinite(fixed):
        return False
    if not math.isfinite(faulty):
        return True
    part = 1 / 3 if visibly else 1.0
    gain = fixed - faulty if higher else faulty - fixed
    if higher and max(faulty, fixed) <= 1:
        return gain >= 0.05 * part or (gain > 0 and 1 - fixed <= (1 - 0.3 * part) * (1 - faulty))
    return gain > 0 and gain >= 0.3 * part * max(abs(faulty), abs(fixed))


def check(program: Program) -> tuple[str, bool]:
    """A program's row of the table, and whether all is well with it."""
    metric = fixed = math.nan
    seconds = 0.0
    note = ""
    try:
        metric, seconds = measure(program.path)
        if program.kind == "healthy":
            fine = math.isfinite(metric)
        else:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / program.path.name
                path.write_text(repaired(program), encoding="utf-8")
                fixed, _ = measure(path)
            fine = clearly_better(metric, fixed, program.higher_is_better, program.cause in ONLY_VISIBLY)
    except (RuntimeError, ValueError) as error:
        fine, note = False, f"  {error}"
    arrow = "↑" if program.higher_is_better else "↓"
    row = f"{program.name:34} {program.cause or '':29} {arrow} {metric:10.4g} "
    row += f"{fixed:10.4g} " if program.kind == "faulty" else f"{'':10} "
    return f"{row}{seconds:6.1f}  {'ok' if fine else 'NOT OK'}{note}", fine


def named(names: list[str], kind: str | None) -> list[Program]:
    """The programs of these names; the others' headers are not read.

    Raises:
        ValueError: there is no program of a name, or its header cannot be read.
    """
    chosen = []
    for name in names:
        folders = [
            folder / each for folder in (HERE, HERE / "practice") for each in KINDS if kind in (None, each)
        ]
        paths = [folder / f"{name}.py" for folder in folders]
        if not (found := [path for path in paths if path.exists()]):
            raise ValueError(f"no program is named {name}")
        chosen += [read(path) for path in found]
    return chosen


def main() -> int:
    """Checks the named programs, or all; 1 if any is not as it should be."""
    parser = argparse.ArgumentParser(description="Run programs of the corpus, faulty ones also repaired.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--kind", choices=KINDS)
    arguments = parser.parse_args()
    try:
        chosen = named(arguments.names, arguments.kind) if arguments.names else programs(arguments.kind)
    except ValueError as error:
        parser.error(str(error))
    print(f"{'name':34} {'cause':29}   {'metric':>10} {'repaired':>10} {'s':>6}", flush=True)
    fine = True
    for program in chosen:
        row, well = check(program)
        print(row, flush=True)
        fine = fine and well
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
