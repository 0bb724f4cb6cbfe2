"""How long until something happens: ``descend --help``, and ``descend fit digits`` to its first step.

    python bench/startup.py

Whole processes, seconds; the first step's time is the one in the run's own record, counted from the
start of the process.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from descend.descent.record import read_series


def seconds(*arguments: str) -> float:
    """Return how long a command takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "descend", *arguments], capture_output=True, check=True)
    return time.perf_counter() - start


def first_step(folder: Path) -> float:
    """Return when the first step of ``descend fit digits`` was done."""
    seconds("fit", "digits", "--steps", "5", "--out", str(folder))
    return read_series(folder / "record.db", "time/elapsed(s)")[1][0]


def main() -> None:
    """Measure seven times each, after one warm-up."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = {
            "descend --help": lambda k: seconds("--help"),
            "descend fit --help": lambda k: seconds("fit", "--help"),
            "import torch, alone": lambda k: _import_torch(),
            "descend fit digits, to its first step": lambda k: first_step(folder / str(k)),
        }
        for name, measure in rows.items():
            found = [measure(k) for k in range(8)][1:]
            print(
                f"{name:40} median {statistics.median(found):.2f} s  ({min(found):.2f} to {max(found):.2f})"
            )


def _import_torch() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
