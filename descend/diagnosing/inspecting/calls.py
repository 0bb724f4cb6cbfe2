"""What each layer does in one forward and backward: a record of its calls, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from descend.diagnosing.inspecting.subject import Subject
from descend.watching.probing import first

WEIGHTED = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.Embedding,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.MultiheadAttention,
)
"""Layers that multiply by a matrix of weights."""
RECTIFIERS = ("relu", "relu6")
BOUNDED = {"tanh": -1.0, "sigmoid": 0.0, "hardtanh": -1.0, "hardsigmoid": 0.0}
"""Activations that saturate, and their least value; the largest is 1."""
SATURATED = 0.03
"""So near an end of its range, an activation passes no more than 6% of the largest gradient."""

_FUNCTIONS = {
    "linear": (F.linear,),
    "relu": (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
    "relu6": (F.relu6,),
    "leakyrelu": (F.leaky_relu,),
    "elu": (F.elu,),
    "gelu": (F.gelu,),
    "silu": (F.silu,),
    "softplus": (F.softplus,),
    "tanh": (F.tanh, torch.tanh, Tensor.tanh),
    "sigmoid": (F.sigmoid, torch.sigmoid, Tensor.sigmoid),
    "softmax": (F.softmax, torch.softmax, Tensor.softmax),
    "logsoftmax": (F.log_softmax, torch.log_softmax, Tensor.log_softmax),
    "dropout": (F.dropout,),
}
_KINDS = {function: kind for kind, functions in _FUNCTIONS.items() for function in functions}


@dataclass
class Call:
    """One call of a layer, or of an activation that is written as a function.

    Attributes:
        name: the module's name; of a function, that of the module it stands in.
        kind: the module's class, or the function's name.
        module: the module; ``None`` for a function.
        shape: of its output.
        follows: the place of the call whose very output it is given; −1 where something lies between.
        of_data: whether what it is given depends on no parameter.
        input_mean: of what it is given, as are the next two; nan where it is not made of numbers.
        input_std: the standard deviation.
        spread: the largest standard deviation of a feature ÷ the smallest that is not zero.
        rms: √mean(output²).
        zeros: the share of zeros in the output.
        dead: the share of units that are zero for every example.
        saturated: the share of an activation's values that are near an end of its range.
        lowest: the least value of the output, and
        highest: the largest.
        gradient: √mean((∂loss/∂output)²); nan where no gradient came.
        gradient_norm: √Σ(∂loss/∂output)², of the whole batch.
    """

    name: str
    kind: str
    module: nn.Module | None
    shape: tuple[int, ...] = ()
    follows: int = -1
    of_data: bool = False
    input_mean: float = math.nan
    input_std: float = math.nan
    spread: float = math.nan
    rms: float = math.nan
    zeros: float = 0.0
    dead: float = 0.0
    saturated: float = 0.0
    lowest: float = math.nan
    highest: float = math.nan
    gradient: float = math.nan
    gradient_norm: float = math.nan

    @property
    def weighted(self) -> bool:
        """Whether it multiplies by a matrix of weights."""
        return isinstance(self.module, WEIGHTED) or self.kind == "linear"

    @property
    def activation(self) -> str:
        """The activation's name, in lower case and without its module's spelling; empty if it is none."""
        kind = self.kind.lower()
        known = kind in _FUNCTIONS or (self.module is not None and _is_activation(self.module))
        return kind if known and kind not in ("linear", "dropout") else ""


@dataclass
class Look:
    """What one forward and backward showed.

    Attributes:
        function: what was looked at; its gradients are cleared.
        calls: of layers, in their order.
        loss: of the batch.
        output: of the whole function; ``None`` where that is no single tensor.
        gradients: parameter's name → √mean(gradient²), of those that a gradient came to.
        unreached: names of trainable parameters that none came to.
        weights: parameter's name → √mean(value²).
    """

    function: nn.Module
    calls: list[Call] = field(default_factory=list)
    loss: float = math.nan
    output: Tensor | None = None
    gradients: dict[str, float] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)


def layers(function: nn.Module) -> dict[nn.Module, str]:
    """Return the modules that are called as a whole, and their names: those without others inside."""
    found: dict[nn.Module, str] = {}
    for name, module in function.named_modules():
        inside = name.startswith(tuple(f"{outer}." for m, outer in found.items() if _whole(m)))
        if not inside and "parametrizations" not in name.split(".") and (_whole(module) or _single(module)):
            found[module] = name
    return found


def _whole(module: nn.Module) -> bool:
    return isinstance(module, nn.MultiheadAttention)


def _single(module: nn.Module) -> bool:
    return all(name == "parametrizations" for name, _ in module.named_children())


def _is_activation(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.activation" and not _whole(module)


def look(subject: Subject, function: nn.Module) -> Look:
    """Take the loss of the first batch and its gradient, and record what layers do.

    Args:
        subject: says on which batch.
        function: a copy, whose gradients are written.
    """
    seen = Look(function)
    function.zero_grad()
    recorder = _Recorder(function, seen)
    with subject.random():
        with recorder:
            loss = subject.problem.loss_of(function, subject.batch)
        seen.loss = loss.item()
        loss.backward()
    for name, p in function.named_parameters():
        seen.weights[name] = _rms(p.detach())
        if p.grad is not None:
            seen.gradients[name] = _rms(p.grad)
        elif p.requires_grad:
            seen.unreached.append(name)
    recorder.finish()
    function.zero_grad()
    return seen


class _Recorder(TorchFunctionMode):
    def __init__(self, function: nn.Module, seen: Look):
        super().__init__()
        self.function, self.seen = function, seen
        self.layers = layers(function)
        self.names = {m: n for n, m in function.named_modules()}
        self.within: list[nn.Module] = []
        self.made: dict[
            int, tuple[Tensor, int]
        ] = {}  # by id: the tensor (kept, so that ids stay) and its call
        self.grown: list[tuple[Call, Tensor, Tensor]] = []
        self.handles: list[Any] = []

    def __enter__(self) -> _Recorder:
        for module in self.names:
            self.handles.append(module.register_forward_pre_hook(self._before))
            self.handles.append(module.register_forward_hook(self._after))
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for handle in self.handles:
            handle.remove()
        self.made.clear()

    def finish(self) -> None:
        """Read what the backward left: only now, as reading each would wait for the device."""
        for call, rms, norm in self.grown:
            call.gradient, call.gradient_norm = float(rms), float(norm)

    def _before(self, module: nn.Module, given: Any) -> None:
        self.within.append(module)

    def _after(self, module: nn.Module, given: Any, output: Any) -> None:
        self.within.pop()
        if module in self.layers and not any(m in self.layers for m in self.within):
            self._note(Call(self.layers[module], type(module).__name__, module), given, output)
        if module is self.function and isinstance(output, Tensor):
            self.seen.output = output

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kind = _KINDS.get(func)
        inside = any(m in self.layers for m in self.within)
        if kind is None or (inside and not self._itself()):
            return func(*args, **(kwargs or {}))
        output = func(*args, **(kwargs or {}))
        where = self.names[self.within[-1]] if self.within else ""
        self._note(Call(where, kind, None), args, output)
        return output

    def _itself(self) -> bool:
        """Whether the function stands in a person's own module without others inside: no layer of torch's."""
        return not type(self.within[-1]).forward.__module__.startswith("torch.")

    @torch.no_grad()
    def _note(self, call: Call, given: Any, output: Any) -> None:
        x, y = first(given), first(output)
        call.follows = self.made[id(x)][1] if x is not None and id(x) in self.made else -1
        call.of_data = x is not None and not x.requires_grad
        if x is not None and x.is_floating_point() and x.numel() and call.weighted:
            _note_input(call, x.detach())
        place = len(self.seen.calls)
        self.seen.calls.append(call)
        if y is None:
            return
        self.made[id(y)] = y, place
        call.shape = tuple(y.shape)
        if not y.is_floating_point() or not y.numel():
            return
        _note_output(call, y.detach())
        if y.requires_grad:
            y.register_hook(lambda g: self.grown.append((call, *_sizes(g))))


def _note_input(call: Call, x: Tensor) -> None:
    x = x.float()
    call.input_mean = float(x.mean())
    call.input_std = float(x.std(correction=0))
    if call.of_data and x.ndim == 2 and len(x) > 1:
        varied = x.std(0)
        varied = varied[varied > 0]
        call.spread = float(varied.max() / varied.min()) if len(varied) else math.nan


def _note_output(call: Call, y: Tensor) -> None:
    call.rms = _rms(y)
    call.lowest, call.highest = float(y.min()), float(y.max())
    if not call.activation:
        return
    zero = y == 0
    call.zeros = float(zero.float().mean())
    if y.ndim > 1:
        units = y.ndim - 1 if y.ndim == 3 else 1
        call.dead = float(zero.transpose(0, units).flatten(1).all(1).float().mean())
    low = BOUNDED.get(call.activation)
    if low is not None:
        near = SATURATED * (1 - low)
        call.saturated = float(((y < low + near) | (y > 1 - near)).float().mean())


def _rms(x: Tensor) -> float:
    return float(x.abs().float().square().mean().sqrt()) if x.numel() else math.nan


def _sizes(g: Tensor) -> tuple[Tensor, Tensor]:
    norm = torch.linalg.vector_norm(g.detach().abs().float())
    return norm / max(1, g.numel()) ** 0.5, norm


def behind(calls: list[Call], place: int, passing: tuple[str, ...]) -> Iterator[Call]:
    """Go back from a call to those whose output it is given, through calls of the kinds ``passing``.

    Args:
        calls: all, in order.
        place: of the call.
        passing: kinds in lower case; the last call that comes is of another kind.
    """
    at = calls[place].follows
    while at >= 0:
        yield calls[at]
        if calls[at].kind.lower() not in passing:
            return
        at = calls[at].follows
