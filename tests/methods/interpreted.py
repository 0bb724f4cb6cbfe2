"""Where kernels for CUDA devices are tested: in Triton's interpreter on the CPU, or on a device that is here.

Without a device kernels run on tensors in ordinary memory. Triton decides when it is imported whether its own
functions are interpreted. Whoever imports it first decides for the whole process; tests of kernels therefore
import this file, and are left out where it came too late (``test_cuda.py`` then runs them in a process of
their own).

``DESCEND_TEST_DEVICE=cuda python -m pytest tests/methods/test_cuda.py`` runs the same tests on a device: what
they make is made there.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors

from descend.methods.executors.engines import ENGINES

VARIABLE = "TRITON_INTERPRET"
DEVICE = torch.device(os.environ.get("DESCEND_TEST_DEVICE", "cpu"))
REAL = DEVICE.type == "cuda"
"""Whether kernels run on a device."""

if REAL:
    DEVICE = torch.device("cuda", torch.cuda.current_device())
elif "triton" not in sys.modules:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "1"
    import triton.language  # noqa: F401

    if before is None:
        del os.environ[VARIABLE]

READY = REAL or type(sys.modules["triton.language"].sum).__name__ == "InterpretedFunction"
"""Whether kernels can be run in this process."""

INTERPRETED = replace(ENGINES["cuda"], available=lambda: True)


class MadeThere(TorchFunctionMode):
    """Tensors are made on the device; random ones get the CPU's numbers, so that they are the same ones."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        mine = not sys._getframe(1).f_globals.get("__name__", "").startswith("descend.")
        if mine and func in _device_constructors() and kwargs.get("device") is None:
            if kwargs.get("generator") is not None:
                return func(*args, **kwargs).to(DEVICE, non_blocking=True)
            kwargs["device"] = DEVICE
        return func(*args, **kwargs)


@contextmanager
def as_on_cuda() -> Iterator[None]:
    """Have tensors descended by the kernels: those on the CPU as if they were on a device, or on one."""
    if REAL:
        with MadeThere():
            yield
        return
    with mock.patch.dict(os.environ, {VARIABLE: "1"}), mock.patch.dict(ENGINES, cpu=INTERPRETED):
        yield


@contextmanager
def as_on_cpu() -> Iterator[None]:
    """Have tensors made and descended as on the CPU, inside of :func:`as_on_cuda`."""
    with mock.patch.dict(ENGINES, cpu=CPU), torch.device("cpu"):
        yield


CPU = ENGINES["cpu"]


@contextmanager
def without_waiting() -> Iterator[None]:
    """Forbid whatever would make the host wait for a device."""

    def waits(*args, **kwargs):
        raise AssertionError("the host waits for the device")

    if REAL:
        before = torch.cuda.get_sync_debug_mode()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode(before)
        return
    names = ("item", "tolist", "cpu", "__float__", "__int__", "__bool__", "__index__", "numpy", "nonzero")
    with mock.patch.multiple(torch.Tensor, **dict.fromkeys(names, waits)):
        yield
