"""Work on several threads: compiled functions on torch's own, functions of whole tensors one a thread.

Products of matrices of a few hundred rows, and QR of any, gain little from a second thread inside; several
of them side by side, on one thread each, use all of the processor.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch

ALONE = 1 << 16
"""Elements up to which one thread is faster than two."""


def on_threads(function: Any, address: int, elements: int) -> None:
    """Run a compiled function once on each thread; they share out its segments among themselves.

    Args:
        function: from :func:`.compiled.load`.
        address: of its frame.
        elements: how many there are in all: few are not worth a second thread.
    """
    threads = torch.get_num_threads() if elements > ALONE else 1
    if threads == 1:
        function(address)
    else:
        _parallel()(function, address, threads)


@cache
def _parallel() -> Callable[[Any, int, int], None]:
    """Return what runs a function on several threads: torch's own, where they are to be had."""
    try:
        start = ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError):
        pool = ThreadPoolExecutor(thread_name_prefix="descend")

        def on_pool(function: Any, address: int, threads: int) -> None:
            others = [pool.submit(function, address) for _ in range(threads - 1)]
            function(address)
            for other in others:
                other.result()

        return on_pool
    start.argtypes, start.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return lambda function, address, threads: start(function.address, address, threads, 0)


APART = 1 << 17
"""Elements in all from which whole tensors are worth a thread each."""


def each(task: Callable[[int], None], sizes: Sequence[int]) -> None:
    """Do a task for each tensor, on a thread each where that pays.

    Args:
        task: takes the number of a tensor; a task touches nothing that another one does.
        sizes: how many elements each tensor has.
    """
    threads = torch.get_num_threads()
    order = sorted(range(len(sizes)), key=lambda i: -sizes[i])  # the largest first, or one is left at the end
    pool = _pool(threads, os.getpid()) if threads > 1 and len(sizes) > 1 and sum(sizes) > APART else None
    if pool is None:
        for i in range(len(sizes)):
            task(i)
        return

    def without_gradients(i: int) -> None:
        with torch.no_grad():
            task(i)

    for future in [pool.submit(without_gradients, i) for i in order]:
        future.result()


@cache
def _pool(threads: int, process: int) -> ThreadPoolExecutor | None:
    """Return threads in each of which torch itself uses one; ``None`` where it cannot be told so."""
    try:
        one = ctypes.CDLL(None).omp_set_num_threads
    except (AttributeError, OSError):
        return None
    products = getattr(_library("libtorch_cpu.so"), "MKL_Set_Num_Threads_Local", None)

    def alone() -> None:
        torch.get_num_threads()  # torch sets its own number in a thread when it is first asked
        one(1)
        if products is not None:
            products(1)

    return ThreadPoolExecutor(threads, thread_name_prefix="descend", initializer=alone)


def _library(name: str) -> Any:
    try:
        return ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name))
    except OSError:
        return None
