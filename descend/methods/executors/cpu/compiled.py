"""From LLVM's text to functions in memory, with the machine code kept on disk.

No compiler is needed: LLVM comes as a library (llvmlite). Compiling a method takes some tens of
milliseconds, loading it again one. Files are named by a digest of the text, the processor and LLVM's
version, hold a digest of themselves, and appear by one rename, so that any number of processes may share
the folder.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _target() -> tuple[Any, Callable[[], Any], str]:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features().flatten()
    cpu = llvm.get_host_cpu_name()
    target = llvm.Target.from_default_triple()

    def machine() -> Any:  # an engine takes the one it is given for its own
        return target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True)

    version = ".".join(map(str, llvm.llvm_version_info))
    return llvm, machine, f"{version} {llvm.get_default_triple()} {cpu} {features}"


def folder() -> Path:
    """Return where machine code is kept: ``DESCEND_CACHE``, or the user's cache folder."""
    if named := os.environ.get("DESCEND_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "descend" / "machine-code"


def load(text: str) -> Callable[[str], Any]:
    """Return what finds a function of this text by its name: compiled now, or once before.

    Args:
        text: LLVM's text of a module; its functions take one pointer and return nothing.
    """
    llvm, machine, processor = _target()
    code = _kept_code(hashlib.sha256(f"1 {processor}\n{text}".encode()).hexdigest(), lambda: _compile(text))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()

    def find(name: str) -> Any:
        address = engine.get_function_address(name)
        function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)
        function.address, function.engine = address, engine  # type: ignore[attr-defined]
        return function

    return find


def _compile(text: str) -> bytes:
    llvm, new_machine, _ = _target()
    machine = new_machine()
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_object(module)


def _kept_code(key: str, make: Callable[[], bytes]) -> bytes:
    """Return the code of this key from disk, or make it and leave it there."""
    path = folder() / key[:2] / key
    with suppress(OSError):
        kept = path.read_bytes()
        if hashlib.sha256(kept[32:]).digest() == kept[:32]:  # a disk can be full, or a file cut short
            return kept[32:]
    code = make()
    with suppress(OSError):  # without a place to keep it, it is compiled each time
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    return code
