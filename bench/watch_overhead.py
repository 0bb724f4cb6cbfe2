"""What watching costs, seen from outside: healthy programs of the corpus with and without it.

    python bench/watch_overhead.py [--half aside|tuning|all] [--rounds N] [NAME ...]

Each program runs in processes of its own, in turns bare and watched. Time is the processor's time of the
training thread from the first optimizer step to the end of the script, and the least of all rounds on either
side, since what else a machine does only adds to it; memory is the most that the process held by then. What
comes after the training (asking copies of the model, finding causes) is not part of it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import resource
import runpy
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "corpus"))


def one(script: str, watched: bool) -> dict[str, float]:
    """Run a program in this process, and say what its training took."""
    from torch.optim.optimizer import register_optimizer_step_pre_hook

    began: list[float] = []

    def first(*_: object) -> None:
        if not began:
            began.append(time.thread_time())

    watcher = None
    if watched:
        from descend.watching.watcher import Watcher

        watcher = Watcher()
    register_optimizer_step_pre_hook(first)
    sys.argv[:] = [script]
    sys.path.insert(0, str(Path(script).parent))
    if watcher is not None:
        watcher.start()
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(script, run_name="__main__")
    ended = time.thread_time()
    if watcher is not None:
        watcher.modules.at_the_end = lambda *_: None  # type: ignore[method-assign]
        seen = watcher.stop()
        said, windows = seen.overhead, len(seen.windows)
    else:
        said, windows = 0.0, 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": ended - began[0], "peak": peak, "said": said, "windows": windows}


def measured(script: Path, watched: bool) -> dict[str, float]:
    """Run a program in a process of its own."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--one",
        str(script),
        *(["--watched"] if watched else []),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--half", choices=["aside", "tuning", "all"], default="aside")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.watched)))
        return
    import torch
    from programs import programs, set_aside

    listed = [
        p for p in programs("healthy") if given.half == "all" or set_aside(p.name) == (given.half == "aside")
    ]
    if given.names:
        listed = [p for p in programs("healthy") if p.name in given.names]
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}")
    print(
        f"{'program':34}{'seconds':>9}{'watched':>9}{'more':>8}{'says':>8}{'looks':>7}{'MiB':>7}{'more':>8}"
    )
    ratios, memory = [], []
    for program in listed:
        found: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for turn in range(given.rounds):
            for watched in (False, True) if turn % 2 == 0 else (True, False):
                found[watched].append(measured(program.path, watched))
        bare, seen = (min(x["seconds"] for x in found[w]) for w in (False, True))
        small, large = (median(x["peak"] for x in found[w]) for w in (False, True))
        ratios.append(seen / bare - 1)
        memory.append(large / small - 1)
        last = found[True][-1]
        print(
            f"{program.name:34}{bare:9.3f}{seen:9.3f}{ratios[-1]:8.1%}{last['said']:8.1%}{last['windows']:7.0f}"
            f"{small:7.0f}{memory[-1]:8.1%}",
            flush=True,
        )
    print(
        f"time: median {median(ratios):.1%}, worst {max(ratios):.1%} more; memory: median"
        f" {median(memory):.1%}, worst {max(memory):.1%} more ({len(ratios)} programs, {given.rounds} rounds)"
    )


if __name__ == "__main__":
    main()
