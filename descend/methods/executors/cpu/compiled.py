"""From LLVM's text to functions in memory, with the machine code kept on disk.

No compiler is needed: LLVM comes as a library (llvmlite). Compiling a method takes some tens of
milliseconds, loading it again one. Files are named by a digest of the text, the processor and LLVM's
version.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from descend.methods.executors.disk import kept_code


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


def load(text: str) -> Callable[[str], Any]:
    """Return what finds a function of this text by its name: compiled now, or once before.

    Args:
        text: LLVM's text of a module; its functions take one pointer and return nothing.
    """
    llvm, machine, processor = _target()
    code = kept_code(hashlib.sha256(f"1 {processor}\n{text}".encode()).hexdigest(), lambda: _compile(text))
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
