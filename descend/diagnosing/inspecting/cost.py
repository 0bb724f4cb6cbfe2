"""What one step costs: floating-point operations, and memory."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from descend.diagnosing.inspecting.subject import Subject, tensors_of
from descend.methods.curvature.deterministic import Deterministic
from descend.methods.method import Method
from descend.methods.routing import table

USED = 0.8
"""The share of the free memory that the largest batch may take."""
_ALLOCATING = (
    "empty",
    "zeros",
    "ones",
    "full",
    "scalar",
    "arange",
    "rand",
    "lift",
    "clone",
    "copy",
    "_to_copy",
)
_ALLOCATING += ("fill", "zero_", "detach", "resize", "new_", "_local_scalar", "is_same_size", "contiguous")


@dataclass
class Cost:
    """What one step costs.

    Attributes:
        examples: of the batch.
        forward: floating-point operations of one forward of the batch (a product and a sum are two).
        both: of one forward and backward.
        uncounted: operations without a formula → how often they were called: what is left out above.
        by_layer: module's name → operations of its forward.
        parameters: bytes of all parameters and buffers.
        gradients: bytes of the gradients.
        state: bytes that the method keeps.
        method: the method that it is.
        activations: bytes that the forward keeps for the backward; each storage once, without
            parameters, buffers and the batch itself.
        inputs: bytes of the batch.
        largest: bytes of the largest output of one operation.
        free: bytes of memory that are free on the device; ``None`` where nothing says so.
        not_measured: why operations or activations could not be counted; empty where they were.
    """

    examples: int
    forward: int | None = None
    both: int | None = None
    uncounted: dict[str, int] = field(default_factory=dict)
    by_layer: dict[str, int] = field(default_factory=dict)
    parameters: int = 0
    gradients: int = 0
    state: int = 0
    method: str = ""
    activations: int | None = None
    inputs: int = 0
    largest: int = 0
    free: int | None = None
    not_measured: str = ""

    @property
    def fixed(self) -> int:
        """Bytes that a step needs whatever the batch."""
        return self.parameters + self.gradients + self.state

    @property
    def per_example(self) -> float | None:
        """Bytes an example: what is kept of it, and the largest output's gradient coming and going."""
        if self.activations is None:
            return None
        return (self.activations + self.inputs + 2 * self.largest) / max(1, self.examples)

    @property
    def largest_batch(self) -> int | None:
        """The largest batch that fits in the free memory, nearly; 0 where not even one example does."""
        per_example = self.per_example
        if self.free is None or not per_example or not self.inputs:
            return None
        return max(0, int((USED * self.free - self.gradients - self.state) / per_example))

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "batch": self.examples,
            "flops/forward": self.forward,
            "flops/forward+backward": self.both,
            "not_counted": self.uncounted,
            "memory/parameters(B)": self.parameters,
            "memory/gradients(B)": self.gradients,
            "memory/state(B)": self.state,
            "method": self.method,
            "memory/activations(B)": self.activations,
            "memory/batch(B)": self.inputs,
            "memory/example(B)": self.per_example,
            "memory/free(B)": self.free,
            "largest_batch": self.largest_batch,
            "not_measured": self.not_measured,
        }


def _kept(method: Method | Deterministic, count: int) -> int:
    """Return the bytes that a method keeps between steps."""
    if isinstance(method, Deterministic):
        return int(method.bytes_per_parameter * count)
    return sum(row["bytes"] for row in table(method))


def cost(subject: Subject) -> Cost:
    """Count the operations and the memory of one step."""
    function, method = subject.function(), subject.descent.method
    trained = [p for p in function.parameters() if p.requires_grad]
    found = Cost(
        subject.examples,
        parameters=sum(map(_size, (*function.parameters(), *function.buffers()))),
        gradients=sum(map(_size, trained)),
        state=_kept(method, sum(p.numel() for p in trained)),
        method=type(method).__name__.lower(),
        inputs=sum(map(_size, tensors_of(subject.batch))),
        free=_free(subject.device),
    )
    try:
        _count(subject, function, found)
    except (RuntimeError, TypeError, NotImplementedError, AssertionError) as error:
        found.forward = found.both = found.activations = None
        found.not_measured = f"{type(error).__name__}: {error}".splitlines()[0]
    return found


def _count(subject: Subject, function: nn.Module, found: Cost) -> None:
    known = {p.untyped_storage().data_ptr() for p in (*function.parameters(), *function.buffers())}
    known |= set(_storages(tensors_of(subject.batch)))
    kept: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        kept.update((place, n) for place, n in _storages([x]).items() if place not in known)
        return x

    counting = Counting(function)
    with _composite(function), subject.random(), counting.watching():
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            loss = subject.problem.loss_of(function, subject.batch)
        found.forward, found.activations = counting.total, sum(kept.values())
        found.by_layer, counting.by_layer = counting.by_layer, {}
        found.largest = counting.largest
        loss.backward()
    found.both, found.uncounted = counting.total, dict(counting.uncounted)
    if not found.both:  # not measured is not zero
        found.forward = found.both = None
        found.not_measured = "it multiplies no matrices, and nothing else is counted"


class Counting(TorchDispatchMode):
    """Counts floating-point operations, by torch's own formulas, and notes what they do not cover.

    ``torch.utils.flop_counter.FlopCounterMode`` does the same; it also imports torch's compiler (2 s), does
    not say what it left out, and knows no attention on CPUs.

    Args:
        function: whose layers the operations are told apart by.

    Attributes:
        total: operations so far.
        by_layer: module's name → its operations.
        uncounted: operation without a formula → calls; without views, and what only allocates or copies.
        largest: bytes of the largest output.
    """

    def __init__(self, function: nn.Module):
        super().__init__()
        from torch.utils.flop_counter import flop_registry

        self.total, self.largest = 0, 0
        self.by_layer: dict[str, int] = {}
        self.uncounted: dict[str, int] = {}
        self.formulas: dict[Any, Callable[..., int]] = {**_on_cpu(), **flop_registry}
        self.function: nn.Module = function
        self.within: list[str] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Count inside the block, and know in which layer."""
        # Not __enter__: torch enters the mode again within each operation that is taken apart.
        handles: list[Any] = []
        for name, module in self.function.named_modules():
            handles.append(module.register_forward_pre_hook(lambda *_, name=name: self.within.append(name)))
            handles.append(module.register_forward_hook(self._left))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _left(self, *_: Any) -> None:
        self.within.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = getattr(func, "_overloadpacket", func)
        formula = self.formulas.get(packet)
        if formula is None and isinstance(func, torch._ops.OpOverload):
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if formula is not None:
            count = int(formula(*args, **kwargs, out_val=out))
            self.total += count
            if self.within:
                self.by_layer[self.within[-1]] = self.by_layer.get(self.within[-1], 0) + count
        elif not getattr(func, "is_view", False):
            name = str(packet).rpartition(".")[2]
            if not name.removeprefix("_").startswith(_ALLOCATING) and name not in _ALLOCATING:
                self.uncounted[name] = self.uncounted.get(name, 0) + 1
        if isinstance(out, Tensor) and not getattr(func, "is_view", False):
            self.largest = max(self.largest, _size(out))
        return out


def _on_cpu() -> dict[Any, Callable[..., int]]:
    """Return the formulas of attention on CPUs: those of the same products elsewhere."""
    from torch.utils.flop_counter import flop_registry

    ops = torch.ops.aten
    found: dict[Any, Callable[..., int]] = {}
    for own, other in (
        ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_flash_attention"),
        (
            "_scaled_dot_product_flash_attention_for_cpu_backward",
            "_scaled_dot_product_flash_attention_backward",
        ),
    ):
        formula = flop_registry.get(getattr(ops, other, None))
        if formula is not None and hasattr(ops, own):
            found[getattr(ops, own)] = formula
    return found


@contextlib.contextmanager
def _composite(function: nn.Module) -> Iterator[None]:
    """Have recurrent layers take products that can be counted, and not one operation for all."""
    if not any(isinstance(m, nn.RNNBase) for m in function.modules()):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _size(x: Tensor) -> int:
    return x.numel() * x.element_size()


def _storages(tensors: Any) -> dict[int, int]:
    """Return the bytes of the storages of tensors, by their addresses."""
    found: dict[int, int] = {}
    for x in tensors:
        if x.layout is torch.strided:
            storage = x.untyped_storage()
            found[storage.data_ptr()] = storage.nbytes()
    return found


def _free(device: torch.device) -> int | None:
    """Return the bytes that are free: on the device, or of what this process may take of the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    bounds = [_machine(), _allowed()]
    known = [b for b in bounds if b is not None]
    return int(min(known)) if known else None


def _machine() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
        return None
    except (OSError, ValueError, IndexError):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (OSError, ValueError, AttributeError):
        return None


def _allowed() -> float | None:
    """Return what a container may still take, where it has a bound."""
    folder = Path("/sys/fs/cgroup")
    for most, now in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            bound = float((folder / most).read_text())
            used = float((folder / now).read_text())
        except (OSError, ValueError):
            continue
        return bound - used if math.isfinite(bound) and bound < 2**60 else None
    return None
