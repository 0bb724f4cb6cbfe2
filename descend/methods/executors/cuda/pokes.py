"""Numbers sent to the device as parameters of launches, which a CUDA graph takes along by value.

While a graph is captured, a copy from the host's memory would be replayed from wherever that memory is by
then. What a launch was given, the graph keeps by itself.

The kernel is the one that is written by hand: Triton takes 2 s for one with some hundred parameters, the
driver makes machine code of this one in no time. ``ptxas`` turns its read into one load from constant memory.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descend.methods.executors.cuda import driver

COUNT = 480
"""Numbers of one launch: 3,840 of the 4,352 bytes that the parameters of a kernel may take everywhere."""

PTX = f"""
.version 7.0
.target sm_70
.address_size 64

.visible .entry poke(.param .u64 at, .param .u64 count, .param .align 8 .b8 words[{8 * COUNT}])
{{
    .reg .pred %p<2>;
    .reg .b32 %r<2>;
    .reg .b64 %rd<10>;
    mov.u32 %r1, %tid.x;
    cvt.u64.u32 %rd1, %r1;
    ld.param.u64 %rd2, [count];
    setp.ge.u64 %p1, %rd1, %rd2;
    @%p1 ret;
    ld.param.u64 %rd3, [at];
    cvta.to.global.u64 %rd4, %rd3;
    shl.b64 %rd5, %rd1, 3;
    mov.b64 %rd6, words;
    add.s64 %rd7, %rd6, %rd5;
    ld.param.u64 %rd8, [%rd7];
    add.s64 %rd9, %rd4, %rd5;
    st.global.u64 [%rd9], %rd8;
    ret;
}}
"""
"""Thread i writes the i-th of ``count`` words to ``at``."""


@cache
def launcher(device: torch.device) -> Callable[[np.ndarray, int], Any]:
    """Return what launches it: (where to, how many and the words; on which stream)."""
    if device.type != "cuda":  # as kernels are interpreted there
        return lambda given, stream: ctypes.memmove(int(given[0]), given.ctypes.data + 16, 8 * int(given[1]))
    run = driver.function(device.index, PTX.encode() + b"\0", "poke", COUNT, 0)

    def launch(given: np.ndarray, stream: int) -> None:
        at = given.ctypes.data
        run(1, stream, (ctypes.c_void_p * 3)(at, at + 8, at + 16))

    return launch


def ready(device: torch.device, stream: int) -> None:
    """Have the kernel on the device, where nothing can be loaded while a graph is captured."""
    if device not in _ready:
        poke(np.zeros(1, dtype=np.int64), torch.empty(1, dtype=torch.int64, device=device), stream)
        _ready.add(device)


def poke(values: np.ndarray, into: Tensor, stream: int) -> None:
    """Write numbers of 64 bits into memory of a device.

    Args:
        values: the numbers, in one dimension.
        into: where to, contiguous.
        stream: the device's current stream.
    """
    given = np.zeros(2 + COUNT, dtype=np.int64)
    for first in range(0, len(values), COUNT):
        some = values[first : first + COUNT]
        given[:2] = into.data_ptr() + 8 * first, len(some)
        given[2 : 2 + len(some)] = some
        launcher(into.device)(given, stream)


_ready: set[torch.device] = set()
