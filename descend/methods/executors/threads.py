"""Compiled functions on torch's own threads."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
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
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(thread_name_prefix="descend")

        def on_pool(function: Any, address: int, threads: int) -> None:
            others = [pool.submit(function, address) for _ in range(threads - 1)]
            function(address)
            for other in others:
                other.result()

        return on_pool
    start.argtypes, start.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    return lambda function, address, threads: start(function.address, address, threads, 0)
