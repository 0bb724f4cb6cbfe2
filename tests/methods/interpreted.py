"""Kernels for CUDA devices run on the CPU: by Triton's interpreter, on tensors in ordinary memory.

Triton decides when it is imported whether its own functions are interpreted. Whoever imports it first decides
for the whole process; tests of kernels therefore import this file, and are left out where it came too late
(``test_cuda.py`` then runs them in a process of their own).
"""

import os
import sys
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import torch

from descend.methods.executors.engines import ENGINES

VARIABLE = "TRITON_INTERPRET"

if "triton" not in sys.modules:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    import triton.language  # noqa: F401

    if before is None:
        del os.environ[VARIABLE]

READY = type(sys.modules["triton.language"].sum).__name__ == "InterpretedFunction"
"""Whether Triton interprets in this process."""

INTERPRETED = replace(ENGINES["cuda"], available=lambda: True)


@contextmanager
def as_on_cuda():
    """Have tensors on the CPU descended as if they were on a CUDA device."""
    with mock.patch.dict(os.environ, {VARIABLE: "1"}), mock.patch.dict(ENGINES, cpu=INTERPRETED):
        yield


@contextmanager
def without_waiting():
    """Forbid whatever would make the host wait for a device."""

    def waits(*args, **kwargs):
        raise AssertionError("the host waits for the device")

    names = ("item", "tolist", "cpu", "__float__", "__int__", "__bool__", "__index__", "numpy", "nonzero")
    with mock.patch.multiple(torch.Tensor, **dict.fromkeys(names, waits)):
        yield
