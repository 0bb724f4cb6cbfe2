"""CUDA's driver, as far as kernels are loaded and launched by it.

Through ``ctypes``: a launch by Triton's own runtime takes some tens of microseconds in Python, and needs a C
compiler at the user's. The words of a launch lie in memory that is set up once (:class:`.compiled.Words`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import nullcontext
from ctypes import byref, c_char_p, c_int, c_uint, c_void_p
from functools import cache
from typing import Any

import torch

NO_CONTEXT = 201


def stream_of(device: torch.device) -> int:
    """Return the device's current stream, as the driver knows it."""
    return torch._C._cuda_getCurrentRawStream(device.index) if device.type == "cuda" else 0


def on_device(device: torch.device) -> Any:
    """Return a context in which launches go to a device."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@cache
def _library() -> Any:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ctypes.CDLL("nvcuda.dll")


def _must(library: Any, code: int, what: str) -> None:
    if code:
        text = c_char_p()
        library.cuGetErrorString(code, byref(text))
        raise RuntimeError(f"CUDA could not {what}: {(text.value or b'').decode() or code}")


def _enter(library: Any, device: int) -> None:
    """Make a device's own context, which is torch's, the current one of this thread."""
    ordinal, context = c_int(), c_void_p()
    _must(library, library.cuInit(0), "start")
    _must(library, library.cuDeviceGet(byref(ordinal), device), f"find device {device}")
    _must(library, library.cuDevicePrimaryCtxRetain(byref(context), ordinal), f"use device {device}")
    _must(library, library.cuCtxSetCurrent(context), f"use device {device}")


def function(
    device: int, binary: bytes, name: str, threads: int, shared: int
) -> Callable[[int, int, Any], None]:
    """Load a kernel on a device, which becomes the current one.

    Args:
        device: its number.
        binary: its machine code.
        name: of the function in it.
        threads: in a block.
        shared: bytes of shared memory that it needs.

    Returns:
        What launches it: (how many blocks, on which stream, the addresses of its parameters).
    """
    library = _library()
    _enter(library, device)
    module, found = c_void_p(), c_void_p()
    _must(library, library.cuModuleLoadData(byref(module), binary), f"load the kernel {name}")
    _must(library, library.cuModuleGetFunction(byref(found), module, name.encode()), f"find {name}")
    start = library.cuLaunchKernel
    start.argtypes = [c_void_p, *[c_uint] * 7, c_void_p, c_void_p, c_void_p]
    start.restype = c_int

    def run(blocks: int, stream: int, parameters: Any, handle: int | None = found.value) -> None:
        code = start(handle, blocks, 1, 1, threads, 1, 1, shared, stream, parameters, None)
        if code == NO_CONTEXT:  # a thread that has not used the device yet
            _enter(library, device)
            code = start(handle, blocks, 1, 1, threads, 1, 1, shared, stream, parameters, None)
        if code:
            _must(library, code, f"launch {name}")

    return run
