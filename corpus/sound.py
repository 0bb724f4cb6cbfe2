"""Writes what signs are in sound runs: the table that `descend watch` compares a run with.

    python corpus/sound.py [--jobs N]

Sound runs are the healthy programs of the tuning half, and the faulty ones of that half, repaired. Programs
that are set aside have no part in it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs import HERE, Program, programs, repaired, set_aside

TABLE = HERE.parent / "descend" / "diagnosing" / "sound.json"
TIMEOUT = 180


def signs(path: Path) -> dict[str, float]:
    """Watch a program, and return its signs that can be told."""
    from descend.diagnosing.unusual import values
    from descend.watching.script import watched

    with contextlib.redirect_stdout(io.StringIO()):
        seen = watched(path, [])
    return {name: value for name, value in values(seen).items() if math.isfinite(value)}


def told(program: Program, folder: Path) -> dict[str, float]:
    """Return the signs of a program in its sound form, watched in a process of its own; none if it fails."""
    path = folder / f"{program.name}.py"
    path.write_text(repaired(program) if program.kind == "faulty" else program.path.read_text())
    command = [sys.executable, "-W", "ignore", __file__, "--one", str(path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT)
        return json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        print(f"{program.name}: nothing could be told", file=sys.stderr)
        return {}


def main() -> None:
    """Watch all of them, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(signs(options.one)))
        return
    chosen = [p for p in programs() if not set_aside(p.name)]
    found: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        for one in pool.map(lambda p: told(p, Path(folder)), chosen):
            for name, value in one.items():
                found[name].append(float(f"{value:.4g}"))
    table = {name: sorted(values) for name, values in sorted(found.items())}
    TABLE.write_text(json.dumps({"programs": len(chosen), "signs": table}) + "\n")
    print(f"{len(table)} signs of {len(chosen)} sound programs: {TABLE.name}")


if __name__ == "__main__":
    main()
