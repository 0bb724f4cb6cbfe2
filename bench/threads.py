"""A digits step beside a busy neighbour: quiet, and with another process that keeps one core busy.

    python bench/threads.py

``fit`` chooses its threads by measuring, in both surroundings. Beside it stands the same loop on all cores,
as torch would run it by default.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from descend.runs.run import Run

BUSY = "while True: pass"


def step_seconds(folder: Path, *flags: str) -> tuple[float, int]:
    """Return the median seconds a step over the run's sampled stretches, and the threads chosen."""
    command = [sys.executable, "-m", "descend", "fit", "digits", "--steps", "600", "--json", *flags]
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, text=True, check=True)
    run = Run.open(json.loads(done.stdout)["run"])
    steps, times = run.metrics("time/elapsed(s)")
    pairs = list(zip(steps, times, strict=True))[1:]
    each = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(pairs)]
    return statistics.median(each), run.facts["settings"]["threads"]


def main() -> None:
    """Measure quiet and busy, in turns."""
    cores = os.cpu_count() or 1
    ways = {"threads as measured": [], f"--threads {cores}": ["--threads", str(cores)]}
    print(f"{'':24}{'quiet (ms)':>12}{'busy (ms)':>12}{'ratio':>8}  threads")
    with tempfile.TemporaryDirectory() as temporary:
        for way, flags in ways.items():
            quiet, busy, threads = [], [], set()
            for k in range(3):
                folder = Path(temporary) / f"{way}-{k}".replace(" ", "")
                found, n = step_seconds(folder.with_suffix(".quiet"), *flags)
                quiet.append(found)
                neighbour = subprocess.Popen([sys.executable, "-c", BUSY])
                try:
                    time.sleep(0.5)
                    found, m = step_seconds(folder.with_suffix(".busy"), *flags)
                finally:
                    neighbour.kill()
                busy.append(found)
                threads |= {n, m}
            a, b = statistics.median(quiet) * 1e3, statistics.median(busy) * 1e3
            print(
                f"{way:24}{a:12.3f}{b:12.3f}{b / a:8.2f}  {', '.join(map(str, sorted(threads)))}", flush=True
            )


if __name__ == "__main__":
    main()
