"""From Triton's text to functions on a device, with the machine code kept on disk.

Triton compiles, and that is all that it is asked for: the machine code is loaded and launched through the
driver's own interface (:mod:`.driver`), so that a process that finds its code on disk never imports Triton,
and a launch costs what the driver takes. With ``TRITON_INTERPRET=1`` the text is run by Triton's interpreter
instead, on tensors in ordinary memory.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import linecache
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata, util
from typing import Any, NamedTuple

import numpy as np
import torch

from descend.methods.executors.cuda import driver
from descend.methods.executors.cuda.writing import WARPS, Function
from descend.methods.executors.disk import kept_code

Launch = Callable[[int, int], None]
"""(how many programs, on which stream) → launched, with the words that it was bound to."""


class Words:
    """The words that kernels are given, each of 64 bits, in memory that launches read.

    Args:
        names: of all of them; the host scalars, ``h0``, ``h1``, ..., come last.
        hosts: how many host scalars there are.
    """

    def __init__(self, names: Iterable[str], hosts: int):
        self.index = {name: k for k, name in enumerate(names)}
        self.values = np.zeros(len(self.index) + hosts, dtype=np.int64)
        self.numbers = self.values[len(self.index) :].view(np.float64)
        self.index |= {f"h{k}": len(self.index) + k for k in range(hosts)}

    def __setitem__(self, name: str, value: int) -> None:
        self.values[self.index[name]] = value

    def __getitem__(self, name: str) -> int:
        return int(self.values[self.index[name]])

    def address(self, name: str) -> int:
        """Return where a word lies."""
        return self.values.ctypes.data + 8 * self.index[name]


class Kernel:
    """A compiled kernel.

    Args:
        parameters: the names of its words, in order.
        run: launches it: (programs, stream, addresses of the words).
    """

    def __init__(self, parameters: list[str], run: Callable[[int, int, Any], None]):
        self.parameters, self._run = parameters, run

    def bind(self, words: Words) -> Launch:
        """Return what launches it with these words, as they are then."""
        addresses = [words.address(name) for name in self.parameters]
        # Triton gives every kernel two words more, for memory that ours do not ask for.
        given = (ctypes.c_void_p * (len(addresses) + 2))(*addresses, NOTHING, NOTHING)
        run = self._run

        def launch(programs: int, stream: int, keep: Words = words) -> None:
            run(programs, stream, given)

        return launch


class Interpreted(Kernel):
    """A kernel run by Triton's interpreter."""

    def __init__(self, parameters: list[str], function: Any):
        self.parameters, self._function = parameters, function

    def bind(self, words: Words) -> Launch:
        """Return what runs it with these words, as they are then."""
        return lambda programs, stream: self._function[(programs,)](*(words[x] for x in self.parameters))


_nothing = np.zeros(1, dtype=np.int64)
NOTHING = _nothing.ctypes.data


def interpreted() -> bool:
    """Whether kernels are to be run by Triton's interpreter."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def available() -> bool:
    """Whether there is what compiles, or interprets."""
    return util.find_spec("triton") is not None and (interpreted() or torch.version.cuda is not None)


def load(functions: list[Function], device: torch.device) -> dict[str, Kernel]:
    """Return kernels by name: compiled now, side by side, or once before.

    Args:
        functions: their texts.
        device: where they are to run.
    """
    if interpreted():
        return {f.name: Interpreted(f.parameters, _jitted(f)) for f in functions}
    code = compiled(functions, torch.cuda.get_device_capability(device))
    found = {}
    with torch.cuda.device(device):
        for f in functions:
            head, _, binary = code[f.name].partition(b"\n")
            about = json.loads(head)
            run = driver.function(device.index, binary, about["name"], about["threads"], about["shared"])
            found[f.name] = Kernel(f.parameters, run)
    return found


def compiled(functions: list[Function], capability: tuple[int, int]) -> dict[str, bytes]:
    """Return machine code by name: a line about it in JSON, then the code."""
    version = metadata.version("triton")
    found: dict[str, bytes] = {}

    def one(f: Function) -> None:
        key = hashlib.sha256(f"1 {version} {capability} {WARPS}\n{f.text}".encode()).hexdigest()
        found[f.name] = kept_code(key, lambda: machine_code(f, capability))

    if len(functions) == 1:
        one(functions[0])
        return found
    with ThreadPoolExecutor() as pool:
        list(pool.map(one, functions))
    return found


def machine_code(function: Function, capability: tuple[int, int]) -> bytes:
    """Compile a kernel for devices of this capability."""
    made = triton_kernel(function, capability)
    about = {
        "name": made.about["name"],
        "threads": 32 * made.about["num_warps"],
        "shared": made.about["shared"],
    }
    return json.dumps(about).encode() + b"\n" + made.asm["cubin"]


class Made(NamedTuple):
    """What Triton makes of a kernel.

    Attributes:
        about: what is told of it, by name.
        asm: its texts on the way, and its machine code.
    """

    about: dict[str, Any]
    asm: dict[str, Any]


def triton_kernel(function: Function, capability: tuple[int, int]) -> Made:
    """Compile a kernel for devices of this capability.

    Stage by stage, because ``triton.compile`` keeps what it compiles in a place of its own and therefore
    first reads all of Triton to see whether it is still the same: 0.35 s, in each thread anew.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    from triton.compiler.compiler import ir, make_backend

    source = ASTSource(fn=_jitted(function), signature=dict.fromkeys(function.parameters, "i64"))
    target = GPUTarget("cuda", capability[0] * 10 + capability[1], 32)
    asked = {"num_warps": WARPS, "enable_fp_fusion": True}
    try:
        backend: Any = make_backend(target)
        options = backend.parse_options(dict(asked))
        context = ir.context()
        ir.load_dialects(context)
        backend.load_dialects(context)
        words, modules = backend.get_codegen_implementation(options), backend.get_module_map()
        made = source.make_ir(target, options, words, modules, context)
        stages: dict[str, Callable[[Any, Any], Any]] = {}
        backend.add_stages(stages, options, source.language)
    except (AttributeError, ImportError, TypeError):  # another version of Triton, whose stages are others
        compiled = triton.compile(source, target=target, options=asked)
        return Made(compiled.metadata._asdict(), compiled.asm)
    about: dict[str, Any] = {"target": target, **options.__dict__}
    asm: dict[str, Any] = {}
    for name, stage in stages.items():
        asm[name] = made = stage(made, about)
    return Made(about, asm)


def _jitted(function: Function) -> Any:
    """Return Triton's own view of a kernel; it reads the source again, which therefore has a name."""
    import triton
    import triton.language as tl

    name = f"<descend kernel {hashlib.sha256(function.text.encode()).hexdigest()[:16]}>"
    linecache.cache[name] = (len(function.text), None, function.text.splitlines(True), name)
    scope: dict[str, Any] = {"tl": tl, "__name__": "descend.kernels"}
    exec(compile(function.text, name, "exec"), scope)
    return triton.jit(scope[function.name])
