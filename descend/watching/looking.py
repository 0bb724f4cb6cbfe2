"""Looking closely: every layer, activation and loss function that is called, while it is switched on."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from descend.watching import graph
from descend.watching.criteria import CRITERIA, deviation, seen
from descend.watching.later import Later
from descend.watching.observations import CriterionCall, LayerCall
from descend.watching.own_losses import LOGARITHMS, PRODUCTS, OwnLosses
from descend.watching.samples import as_it_lies, mapped, moments, numbers, picked

RECTIFIERS = ("relu", "ReLU", "ReLU6", "relu_", "relu6")
ALIVE = 1 << 16
"""Of how many numbers, about, it is asked whether units are alive."""
OUTPUTS, INPUTS, ROWS = 1024, 256, 128
"""How many numbers of a layer's output and of its input are kept, and rows of a softmax."""
REPEATED, LAYERS = 8, 256
"""How many calls of one module, and of all, are looked at in a window."""
RANGES = {"tanh": (-1.0, 1.0), "Tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "Sigmoid": (0.0, 1.0)}
ACTIVATIONS: dict[Any, str] = {
    f: name
    for name in (
        *("relu", "tanh", "sigmoid", "relu_", "leaky_relu", "elu", "gelu", "silu", "softplus", "relu6"),
        "softmax",
    )
    for where in (torch, Tensor, F)
    if (f := getattr(where, name, None)) is not None
}
DIFFERENCES = {Tensor.sub, Tensor.__sub__, Tensor.__rsub__, torch.sub, torch.subtract, Tensor.subtract}
PARTS = {Tensor.__getitem__, torch.index_select, Tensor.index_select}
EQUALITIES = {Tensor.eq, Tensor.__eq__, torch.eq}
MANY = 20_000
"""Functions between two steps from which on no more are looked at: what is done is something else."""
_OF_INTEREST = {*CRITERIA, *ACTIVATIONS, *DIFFERENCES, *PRODUCTS, *LOGARITHMS, *PARTS, *EQUALITIES}


class Looking(TorchFunctionMode):
    """Sees what is called while it is on.

    Args:
        step: tells the number of the step that comes next.
        later: computes what is told, of what is copied.
        on_criterion: is handed each loss function's call, with prediction, target and result.
        on_root: is handed each module that a person calls, with its arguments.

    Attributes:
        layers: calls of layers and activation functions.
        criteria: calls of loss functions.
        equal: (how many were equal, of how many) in comparisons of integers.
        spent: seconds that it took itself.
        away: whether functions are not looked at for the moment.
        layers_too: whether layers are looked at, and not only loss functions.
        unregistered: modules that were called within another one, which does not list them.
    """

    def __init__(
        self,
        step: Callable[[], int],
        later: Later,
        on_criterion: Callable[[Tensor, Tensor, Tensor], None],
        on_root: Callable[[nn.Module, Any], None],
    ):
        super().__init__()
        self.step, self.later = step, later
        self.on_criterion, self.on_root = on_criterion, on_root
        self.names: dict[int, str] = {}
        self.on, self.layers_too, self.away, self._ceases = False, True, False, False
        self._paused = -1
        self.spent = 0.0
        self.unregistered: dict[int, nn.Module] = {}
        self.order: list[int] = []
        self._handles: list[Any] = []
        self._stack: list[nn.Module] = []
        self._in_loss = False
        self.own = OwnLosses()
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self._functions = 0
        self.layers: list[LayerCall] = []
        self.criteria: list[CriterionCall] = []
        self.own.clear()
        self.equal = [0, 0]
        # Not the tensors themselves: without gradients each is freed as soon as the next is there.
        self.parts: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._given_out: Tensor | None = None
        self._made: dict[int, tuple[str, weakref.ref[Tensor]]] = {}
        self._times: dict[int, int] = {}

    def switch_on(self, within: nn.Module | None = None) -> None:
        """Begin to look; perhaps within a module's call, of which the beginning was missed."""
        if self.on:
            return
        self.on, self.away, self._ceases = True, False, False
        self._stack, self._in_loss = [within] if within is not None else [], False
        self._paused = -1
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter),
            hooks.register_module_forward_hook(self._leave),
        ]
        self.__enter__()

    def switch_off(self) -> None:
        """Cease to look."""
        if not self.on:
            return
        if self._paused < 0 and not self._on_top():  # within somebody else's mode: at the next occasion
            return
        self.on = False
        if self._paused < 0:
            self.__exit__(None, None, None)
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._made.clear()
        self.parts.clear()
        self._given_out = None
        self.own.clear()

    def pause(self) -> None:
        """Cease to see functions until a module is called, while an optimizer steps."""
        if self.on and self._paused < 0 and self._on_top():
            self.__exit__(None, None, None)
            self._paused = len(torch.overrides._get_current_function_mode_stack())

    def cease(self) -> None:
        """Cease to look when a module is called next: within a function it cannot be left."""
        self.away = self._ceases = True

    def resume(self) -> None:
        """See functions again, unless another mode was entered meanwhile: it would be left first."""
        if (
            self._paused >= 0
            and self._functions <= MANY
            and len(torch.overrides._get_current_function_mode_stack()) == self._paused
        ):
            self._paused, self.away = -1, False
            self.__enter__()

    def _on_top(self) -> bool:
        stack = torch.overrides._get_current_function_mode_stack()
        return bool(stack) and stack[-1] is self

    # Modules ----------------------------------------------------------------------------------------
    def _enter(self, module: nn.Module, args: Any) -> None:
        if mapped():
            return
        if self._ceases:
            self.switch_off()
            return
        if not self._stack and not _is_criterion(module) and next(module.parameters(), None) is not None:
            self.on_root(module, args)
        if not self._stack:
            self._in_loss = next(module.parameters(), None) is None
        self._stack.append(module)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if mapped():
            return
        start = time.perf_counter()
        while self._stack and self._stack.pop() is not module:
            pass
        inside = bool(self._stack)
        leaf = self.layers_too and next(module.children(), None) is None
        if leaf and not _is_criterion(module) and self._again(id(module)):
            if inside and id(module) not in self.names and next(module.parameters(), None) is not None:
                self.unregistered[id(module)] = module
            out = output[0] if isinstance(output, tuple) and output else output
            given = next((a for a in args if isinstance(a, Tensor)), None)
            if isinstance(out, Tensor):
                name = self.names.get(id(module), type(module).__name__)
                grad = _enabled()
                with torch.no_grad(), torch._C.DisableTorchFunction():
                    self._layer(name, type(module).__name__, module.training, given, out, grad)
            self.order.append(id(module))
        own_loss = self._in_loss and isinstance(output, Tensor) and not output.dim()
        if not self._stack and isinstance(output, Tensor) and not (own_loss or _is_criterion(module)):
            self._given_out = output
        self.spent += time.perf_counter() - start

    def _in_model(self) -> bool:
        """Whether a module is being called that is more than a person's own loss."""
        return bool(self._stack) and not self._in_loss

    def _again(self, module: int, most: int = REPEATED) -> bool:
        """Whether one more call of a module is looked at: steps of an episode are many, and alike."""
        times = self._times[module] = self._times.get(module, 0) + 1
        return times <= most and len(self.layers) < LAYERS

    def _layer(
        self,
        name: str,
        kind: str,
        training: bool | None,
        given: Tensor | None,
        out: Tensor,
        grad: bool,
    ) -> None:
        follows = ""
        if given is not None:
            known = self._made.get(id(given))
            if known is not None and known[1]() is given:
                follows = known[0]
        if len(self._made) < 4096:
            self._made[id(out)] = (name, weakref.ref(out))
        if not out.is_floating_point() or not out.numel():
            return
        alive = rows = sizes = None
        if kind in RECTIFIERS and out.dim() >= 2 and 1 < out.shape[1] <= 8192 and out.numel() <= 1 << 22:
            alive = _alive(out.detach())
        elif kind in ("softmax", "Softmax") and out.dim() >= 2 and out.shape[-1] > 1:
            rows = out.detach().flatten(0, -2)
            rows = rows[:: -(-len(rows) // ROWS)].to("cpu", torch.float32, copy=True)
        if given is not None and given.is_floating_point() and given.numel() > 1:
            sizes = numbers(as_it_lies(given), INPUTS).copy()
        nan = float("nan")
        call = LayerCall(
            name,
            kind,
            training,
            grad,
            tuple(out.shape),
            *(nan, nan, nan, nan, nan),
            *(0, 0),
            follows,
            True,
            nan,
            alive,
        )
        self.layers.append(call)
        self.later.put(_fill, call, numbers(as_it_lies(out), OUTPUTS).copy(), sizes, rows)

    # Functions --------------------------------------------------------------------------------------
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function, and see what it was if it is of interest."""
        out = func(*args, **(kwargs or {}))
        self._functions += 1
        if func not in _OF_INTEREST or self.away or self._functions > MANY or mapped():
            return out
        if func in CRITERIA:
            self._timed(self._criterion, CRITERIA[func], args, kwargs or {}, out)
        elif func in ACTIVATIONS:
            self._timed(self._activation, ACTIVATIONS[func], args, out)
        elif func in DIFFERENCES:
            a, b = (*args, None, None)[:2]
            if isinstance(a, Tensor) and isinstance(b, Tensor):
                self._timed(self._difference if a.shape != b.shape else self._deviation, a, b, out)
        elif func in PRODUCTS:
            a, b = (*args, None, None)[:2]
            if isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape != b.shape:
                self._timed(self._difference, a, b, out, "product")
        elif func in LOGARITHMS:
            self._timed(self.own.result, out, -1.0)
        elif func in PARTS and isinstance(out, Tensor) and args and isinstance(args[0], Tensor):
            if out.dim() and args[0].dim() and len(args[0]) > len(out) and len(self.parts) < 64:
                self.parts[id(out)] = weakref.ref(out), len(args[0])
        elif func in EQUALITIES and not (
            _enabled() and (self._given_out is None or self._given_out.requires_grad)
        ):
            a, b = (*args, None, None)[:2]
            if isinstance(a, Tensor) and isinstance(b, Tensor):
                self._timed(self._equality, a, b, out)
        return out

    def log_prob(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """See the log-probability of an action or an observation; of a draw it is no loss to look into."""
        self.away = self.on and self.own.acted(args)
        out = original(*args, **kwargs)
        self.away = False
        if self.on:
            self.own.log_prob(out)
        return out

    def sample(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """See actions drawn."""
        out = original(*args, **kwargs)
        if self.on:
            self.own.draw(out)
        return out

    def _timed(self, see: Callable[..., None], *args: Any) -> None:
        start = time.perf_counter()
        with (
            suppress(RuntimeError, ValueError, TypeError, IndexError),  # of another form: it was not seen
            torch._C.DisableTorchFunction(),
        ):
            see(*args)
        self.spent += time.perf_counter() - start

    def _activation(self, name: str, args: Any, out: Any) -> None:
        inside = self._stack[-1] if self._stack else None
        if inside is not None and type(inside).__module__ == "torch.nn.modules.activation":
            return  # which is seen itself
        if not self.layers_too or not self._again(-id(inside), 4 * REPEATED):
            return
        if _enabled() and isinstance(out, Tensor) and not out.requires_grad:
            return  # of the making of data
        given = next((a for a in args if isinstance(a, Tensor)), None)
        where = self.names.get(id(inside), "") if inside is not None else ""
        count = sum(c.kind == name for c in self.layers)
        grad = _enabled()
        with torch.no_grad():
            self._layer(f"{where + '.' if where else ''}{name}:{count}", name, None, given, out, grad)

    def _difference(self, a: Tensor, b: Tensor, out: Tensor, name: str = "difference") -> None:
        """See (n, 1) − (n): what was meant as n differences becomes n²; or (m, n, 1) − (n), m times that."""
        one_of_them = a.requires_grad != b.requires_grad or not _enabled()  # else a table of pairs is meant
        if self._in_model() or out.numel() <= max(a.numel(), b.numel()) or not one_of_them:
            return
        if a.numel() != b.numel() and not (_column(a, b) or _column(b, a)):
            return
        prediction, target = (b, a) if b.requires_grad else (a, b)
        shapes = tuple(prediction.shape), tuple(target.shape)
        self.criteria.append(CriterionCall(name, *shapes, float("nan"), _enabled(), step=self.step()))

    def _deviation(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        """See what a person's own loss begins with: a module's output, less what it should have been."""
        if self._in_model() or not a.dim() or not a.is_floating_point():
            return
        self.own.difference(a, b, out)
        if self._given_out is None:
            return
        wanted = b.requires_grad, a.requires_grad
        if wanted == (False, False):
            place = self._given_out.data_ptr()
            wanted = b.data_ptr() == place, a.data_ptr() == place
        if wanted[0] == wanted[1]:
            return
        prediction, target = (b, a) if wanted[0] else (a, b)
        if prediction.numel() != self._given_out.numel():
            return
        with torch.no_grad():
            call = deviation(prediction, target, out, self.later)
        call.step, call.grad = self.step(), prediction.requires_grad
        self.criteria.append(call)
        if _made_of(prediction, self._given_out):
            self.own.result(out, out.detach())
        if call.grad:
            self.on_criterion(prediction, target, out)

    def _equality(self, a: Tensor, b: Tensor, out: Tensor) -> None:
        if a.shape == b.shape and a.dim() >= 1 and a.dtype in (torch.int64, torch.int32, torch.bool):
            asked = (a >= 0) & (b >= 0) if a.dtype != torch.bool else torch.ones_like(out)  # -1: nothing is
            self.equal[0] += int((out & asked).sum())
            self.equal[1] += int(asked.sum())

    def _criterion(self, name: str, args: Any, kwargs: Any, out: Any) -> None:
        prediction = args[0] if args else kwargs.get("input")
        target = args[1] if len(args) > 1 else kwargs.get("target")
        if (
            not isinstance(prediction, Tensor)
            or not isinstance(target, Tensor)
            or len(self.criteria) > LAYERS
        ):
            return
        self.own.result(out)
        # Not whether gradients are enabled: what was told without them is often compared outside.
        grad = prediction.requires_grad or target.requires_grad
        with torch.no_grad():
            call = seen(name, prediction, target, out, kwargs, self.later)
        call.step, call.grad, call.made_by = self.step(), grad, graph.source(prediction)
        self.criteria.append(call)
        if grad:
            self.on_criterion(prediction, target, out)


def _alive(out: Tensor) -> Tensor:
    """Return which units are not zero for all of (a part of) a batch."""
    # Units are the second dimension of pictures and the last of everything else.
    unit = 1 if out.dim() in (2, 4, 5) else out.dim() - 1
    part = out[picked(len(out), max(16, ALIVE * len(out) // out.numel()))]
    for place in range(2, out.dim() if unit == 1 else 1):  # of large pictures every other line, and so on
        stride = part.numel() // ALIVE + 1
        part = part[(slice(None),) * place + (slice(None, None, min(stride, 4)),)]
    others = [d for d in range(out.dim()) if d != unit]
    return (part > 0).any(dim=others[0]) if len(others) == 1 else part.amax(others) > 0


def _column(x: Tensor, row: Tensor) -> bool:
    """Whether (..., n, 1) meets (n)."""
    return x.dim() >= 3 and row.dim() == 1 and len(row) > 1 and x.shape[-2:] == (len(row), 1)


def _made_of(prediction: Tensor, given: Tensor) -> bool:
    """Whether a prediction is a module's output itself, or made of nothing else step by step."""
    node = prediction.grad_fn
    for _ in range(8):
        if node is None or node is given.grad_fn:
            break
        inputs = [n for n, _ in node.next_functions if n is not None]
        node = inputs[0] if len(inputs) == 1 else None
    return node is not None and node is given.grad_fn


def _fill(call: LayerCall, x: np.ndarray, given: np.ndarray | None, rows: Tensor | None) -> None:
    """Compute what is told of a layer's call."""
    call.mean, call.std = moments(x)
    call.largest = max(float(np.maximum.reduce(x)), -float(np.minimum.reduce(x)))
    call.zero = 1.0 - np.count_nonzero(x) / x.size
    call.finite = call.mean - call.mean == 0
    if call.kind in RANGES:
        low, high = RANGES[call.kind]
        edge = 0.015 * (high - low)
        call.saturated = float(np.count_nonzero((x < low + edge) | (x > high - edge)) / x.size)
    if rows is not None:
        call.saturated = one_sided(rows)
    if call.alive is not None:
        call.units, call.dead = call.alive.numel(), int((~call.alive).sum())
    if given is not None:
        call.input_std = moments(given)[1]


def one_sided(rows: Tensor) -> float:
    """Return the share of rows of a softmax (over its last dimension) that give nearly all to one place."""
    if bool((rows.sum(1) - 1).abs().max() > 1e-2):  # over another dimension
        return float("nan")
    return float((rows.amax(1) > 0.97).float().mean())


def _is_criterion(module: nn.Module) -> bool:
    return type(module).__module__ == "torch.nn.modules.loss" or isinstance(module, nn.modules.loss._Loss)


def _enabled() -> bool:
    return torch.is_grad_enabled()
