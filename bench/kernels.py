"""What can be told of the kernels for CUDA devices without one: compiling, and the host's part of a step.

    python bench/kernels.py [--method NAME ...] [--capability 90]

For each method, in a fresh process with an empty cache: how many kernels its matrices need, the seconds until
they are machine code, and those of a second process that finds them on disk; importing torch is not counted,
importing Triton is. Then the host's part of AdamW's step, with launches that do nothing, on the sets of
``bench/tensors.py``: with gradients where they were, and with all of them elsewhere.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tensors import parameters

from descend.methods import TABLE
from descend.methods.executors.cuda import compiled
from descend.methods.executors.cuda.code import Code
from descend.methods.executors.cuda.writing import Function, Variant
from descend.methods.executors.engines import ENGINES


def functions(method: str) -> list[Function]:
    """Return the kernels of a method's first step on matrices."""
    rule, h = TABLE[method].rule, TABLE[method].defaults
    form = rule.form(torch.empty(64, 32, device="meta")) if rule.form else None
    code = Code(rule, h, 1, form, (torch.float32,) * (2 + len(rule.keeps(h, form))))
    return [f for x in code.launches(Variant()) for f in x.functions()]


def seconds(method: str, capability: int) -> tuple[int, float]:
    """Return how many kernels there are, and the seconds until they are machine code."""
    start = time.perf_counter()
    found = functions(method)
    if found:
        compiled.compiled(found, divmod(capability, 10))
    return len(found), time.perf_counter() - start


def host(set_name: str) -> tuple[float, float]:
    """Return the median ms of the host's part of AdamW's step; and where all gradients have moved."""
    named = parameters(set_name)
    opt = TABLE["adamw"]([p for _, p in named])
    found: tuple[list[float], list[float]] = ([], [])

    def step(times: list[float]) -> None:
        start = time.perf_counter()
        opt.step()
        times.append(1e3 * (time.perf_counter() - start))

    for _ in range(3):
        opt.step()
    for _ in range(40):
        step(found[0])
    for _ in range(20):
        moved = [p.grad.clone() for _, p in named if p.grad is not None]
        for (_, p), g in zip(named, moved, strict=True):
            p.grad = g
        step(found[1])
    return statistics.median(found[0]), statistics.median(found[1])


def without_launches() -> None:
    """Have tensors on the CPU descended as on a CUDA device, with kernels that do nothing."""

    def nothing(*_: Any) -> None:
        return None

    def load(functions: list[Function], _: torch.device) -> dict[str, Any]:
        return {f.name: compiled.Kernel(f.parameters, nothing) for f in functions}

    compiled.load = load  # type: ignore[assignment]
    ENGINES["cpu"] = replace(ENGINES["cuda"], available=lambda: True)


def elsewhere(folder: Path, *flags: str) -> str:
    """Run this file in a process of its own, with its caches in a folder."""
    environment = {**os.environ, "DESCEND_CACHE": str(folder), "TRITON_CACHE_DIR": str(folder / "triton")}
    environment.pop("TRITON_INTERPRET", None)
    command = [sys.executable, "-W", "ignore", __file__, *flags]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--method", nargs="+", choices=TABLE, default=list(TABLE), metavar="NAME")
    parser.add_argument("--capability", type=int, default=90, help="of the device, as 90 for 9.0")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.one:
        print(*seconds(flags.one, flags.capability))
        return
    from importlib.metadata import version

    print(
        f"{platform.machine()}, torch {torch.__version__}, triton {version('triton')}, sm_{flags.capability}"
    )
    print(f"{'method':20}{'kernels':>8}{'cold (s)':>10}{'again (s)':>11}")
    cold, warm = [], []
    for method in flags.method:
        with tempfile.TemporaryDirectory() as folder:
            asked = ("--one", method, "--capability", str(flags.capability))
            first, second = (elsewhere(Path(folder), *asked).split() for _ in range(2))
        cold.append(float(first[1]))
        warm.append(float(second[1]))
        print(f"{method:20}{first[0]:>8}{cold[-1]:10.2f}{warm[-1]:11.3f}", flush=True)
    most: Callable[[list[float]], str] = lambda x: f"median {statistics.median(x):.2f}, most {max(x):.2f}"  # noqa: E731
    print(f"cold: {most(cold)} s; again: {most(warm)} s\n")
    torch.set_num_threads(1)
    without_launches()
    print("the host's part of AdamW's step, median ms; with gradients that moved")
    for set_name in ("a", "c", "d"):
        print(f"({set_name}) {'{:.3f}  {:.3f}'.format(*host(set_name))}", flush=True)


if __name__ == "__main__":
    main()
