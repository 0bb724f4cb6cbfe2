"""Keeping some of a script's steps, so that they can be played again with a remedy and without.

While a step is captured, every call of a module and every function of torch between modules is written
down (:mod:`descend.watching.tape`). The first steps are captured in order, to see whether playing them gives
what was observed; of all others a fair sample. Nothing is changed: what is kept is copied, and random numbers
are left to the script.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.overrides import TorchFunctionMode, _get_current_function_mode_stack, _pop_mode, _push_mode

from descend.watching.keeping import Store
from descend.watching.looking import Looking
from descend.watching.patching import around_calls, around_clipping
from descend.watching.samples import some, spread
from descend.watching.tape import (
    Call,
    Iteration,
    Leaf,
    Out,
    Value,
    alike,
    is_data,
    mapped,
    set_item,
    shortened,
    tensors,
)

KEPT = 64
"""How many steps are kept, of all that were taken."""
CHECKED = 8
"""How many of the first steps are kept in any case, to be compared with what playing them gives."""
BYTES = 64 << 20
"""How much memory data of kept steps may take, and once more the initial parameters."""
TRIES = 16
"""Steps that could not be kept, after which no more are tried where none could."""
CALLS = 20_000
"""Calls in a step, above which it is not kept."""
_BACKWARD = {Tensor.backward, torch.autograd.backward}
_INPLACE = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ipow__"}
_RANDOM = (
    "rand",
    "normal",
    "uniform",
    "bernoulli",
    "dropout",
    "multinomial",
    "poisson",
    "gumbel",
    "exponential",
)
_DRAWN = ("multinomial", "bernoulli", "poisson", "normal")
_READ = {"item", "tolist", "numpy", "__array__", "__int__", "__index__", "__bool__"}
_SUMS = {"sum", "mean", "count_nonzero", "all", "any", "_is_all_true"}
_SILENT = {"_set_grad_enabled", "size", "dim", "numel", "stride", "__len__", "type", "is_floating_point"}


class _Snap:
    """A copy of a tensor from before something was written into it."""

    def __init__(self, x: Tensor):
        self.x = x.detach().clone()


class Capturing(TorchFunctionMode):
    """Captures steps while a script trains.

    Args:
        keep: how many steps at most.
        most: bytes of data at most.

    Attributes:
        iterations: the steps that are kept.
        checked: the first steps, in order.
        modules: by key.
        leaves: parameters and buffers by key.
        initial: their values at first sight.
        values: data by key.
        optimizer: the first one; ``others`` are those that came after it.
        settings: (step, hyperparameters of each group) whenever they changed.
        resets: steps before which the optimizer's state was lost, or another one took its place.
        reasons: why steps could not be kept, and how often.
        steps: how many were taken.
        spent: the seconds that capturing took.
    """

    def __init__(self, keep: int = KEPT, most: int = BYTES):
        super().__init__()
        self.store = Store(keep, most, CHECKED)
        self.iterations, self.checked = self.store.iterations, self.store.checked
        self.values = self.store.values
        self.modules: dict[int, nn.Module] = {}
        self.leaves: dict[int, Tensor] = {}
        self.initial: dict[int, Tensor] = {}
        self.optimizer: Optimizer | None = None
        self.settings: list[tuple[int, list[dict[str, Any]]]] = []
        self.resets: list[int] = []
        self.reasons: dict[str, int] = {}
        self.steps = 0
        self.spent = 0.0
        self._held = 0
        self._undo: list[Callable[[], None]] = []
        self._on = self._stepping = self._stateful = False
        self._pending: Iteration | None = None
        self._depth = 0
        self._now: Optimizer | None = None
        self._clear()

    @property
    def bytes(self) -> int:
        """How much memory data of kept steps take."""
        return self.store.bytes

    # Beginning and end ------------------------------------------------------------------------------
    def start(self, looking: Looking | None = None) -> None:
        """Begin, beside somebody who looks at functions by a mode of their own."""
        if looking is not None:
            self._beside(looking)
        pre = register_optimizer_step_pre_hook(self._before_step)
        post = register_optimizer_step_post_hook(self._after_step)
        self._undo += [pre.remove, post.remove]
        self._undo += [around_calls(self._called), *around_clipping(self._clipping)]
        self._switch_on()

    def stop(self) -> None:
        """Cease."""
        self._switch_off()
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self._clear()

    def _beside(self, looking: Looking) -> None:
        """Stay above another mode: what that one computes to see is nothing that the script did."""
        for name in ("switch_on", "switch_off", "pause", "resume"):
            original = getattr(looking, name)

            def lifted(*args: Any, original: Callable[..., Any] = original, **kwargs: Any) -> Any:
                was = self._lift()
                try:
                    return original(*args, **kwargs)
                finally:
                    if was:
                        _push_mode(self)

            setattr(looking, name, lifted)
            self._undo.append(lambda name=name: looking.__dict__.pop(name, None))

    def _lift(self) -> bool:
        """Take this mode from the stack, wherever it is; return whether it was there."""
        if not self._on or self not in _get_current_function_mode_stack():
            return False
        above = []
        while (mode := _pop_mode()) is not self:
            above.append(mode)
        for mode in reversed(above):
            _push_mode(mode)
        return True

    def _clipping(self, name: str, original: Callable[..., Any], given: Any, args: Any, kwargs: Any) -> Any:
        """See gradients clipped."""
        if not self._on:
            return original(given, *args, **kwargs)
        given = [given] if isinstance(given, Tensor) else list(given)
        self._clip = name, (*args, *kwargs.values())
        self._depth += 1
        try:
            return original(given, *args, **kwargs)
        finally:
            self._depth -= 1

    def _clear(self) -> None:
        self._calls: list[Call] = []
        self._by: dict[int, tuple[Tensor, Out]] = {}
        self._losses: list[tuple[Out, float]] = []
        self._reason = ""
        self._fresh = True
        self._clip: tuple[str, tuple[Any, ...]] | None = None
        self._gradients: list[tuple[Tensor, Tensor]] = []
        self._read = False
        self._later: dict[int, Tensor] = {}
        self._idle = 0

    def _switch_on(self) -> None:
        if self._on:
            return
        self._clear()
        self._on, self._depth = True, 0
        _push_mode(self)

    def _switch_off(self) -> None:
        if self._on:
            self._lift()
            self._on = False

    # What is called ---------------------------------------------------------------------------------
    def _called(self, original: Any, module: nn.Module, args: Any, kwargs: Any) -> Any:
        """See a module called, and write the call down where it is called by a person."""
        if not self._on or self._depth or self._stepping or not _is_root(module):
            return original(module, *args, **kwargs)
        start = time.perf_counter()
        with torch._C.DisableTorchFunction():
            self._know(module)
            state = torch.get_rng_state() if any(m.training for m in module.modules()) else None
            modes = tuple(m.training for m in module.modules())
            call = self._noted(None, id(module), args, kwargs, state, modes)
        self.spent += time.perf_counter() - start
        self._depth += 1
        try:
            out = original(module, *args, **kwargs)
        finally:
            self._depth -= 1
        start = time.perf_counter()
        self._done(call, out)
        self.spent += time.perf_counter() - start
        return out

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function, and write it down if a loss may come of it."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if self._depth or self._stepping or name in _SILENT:
            return func(*args, **kwargs)
        start = time.perf_counter()
        call = None
        with torch._C.DisableTorchFunction():
            if func in _BACKWARD:
                self._before_backward(args, kwargs)
            else:
                call = self._before(func, name, args, kwargs)
        self.spent += time.perf_counter() - start
        if func in _BACKWARD:
            self._depth += 1
            try:
                out = func(*args, **kwargs)
            finally:
                self._depth -= 1
        else:
            out = func(*args, **kwargs)
        start = time.perf_counter()
        with torch._C.DisableTorchFunction():
            if func in _BACKWARD:
                self._after_backward()
            elif call is not None:
                if name == "__setitem__":  # gives nothing: what was written into is what comes of it
                    call.function = set_item
                self._done(call, args[0] if name == "__setitem__" else out)
            elif self._read and isinstance(out, Tensor) and len(self._later) < 4096:
                self._later[id(out)] = out
        self.spent += time.perf_counter() - start
        return out

    def _before(self, func: Any, name: str, args: Any, kwargs: Any) -> Call | None:
        """Write a call down where a parameter, or what came of one, is among its arguments."""
        given = tensors([*args, *kwargs.values()])
        made = [x for x in given if self._out(x) is not None]
        grad = torch.is_grad_enabled()
        if not made and not any(x.requires_grad for x in given):
            return None
        if name in _READ and made:
            place = self._out(made[0])
            assert place is not None
            whole = made[0].numel() == 1 and (
                made[0].is_floating_point() or self._calls[place.call].name in _SUMS
            )
            self._read = self._read or not whole
            return None
        if not made and not grad:
            return None  # something is done with parameters: no loss comes of it
        if len(self._calls) >= CALLS:
            self._reason = self._reason or "its steps have too many calls"
            return None
        drawn = any(word in name for word in _RANDOM)
        if name in _DRAWN and made and name != "normal_":
            self._reason = self._reason or "what it learns from is drawn from what it predicts"
        inplace = name in _INPLACE or (name.endswith("_") and not name.endswith("__"))
        if inplace and args and is_data(args[0]) and self._out(args[0]) is None:
            args = (_Snap(args[0]), *args[1:])
        return self._noted(func, 0, args, kwargs, torch.get_rng_state() if drawn else None, ())

    def _noted(self, func: Any, module: int, args: Any, kwargs: Any, state: Any, modes: Any) -> Call:
        def reference(leaf: Any) -> Any:
            if isinstance(leaf, Tensor):
                return self._out(leaf) or leaf
            return leaf

        cast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        changed = mapped(tuple(args), reference), mapped(dict(kwargs), reference)
        return Call(func, module, *changed, torch.is_grad_enabled(), state, modes, cast)

    def _done(self, call: Call, out: Any) -> None:
        found = tensors(out)
        place = len(self._calls)
        self._calls.append(call)
        for k, x in enumerate(found):
            self._by[id(x)] = x, Out(place, k)
        if not call.grad:  # what is evaluated is not to be held for long
            self._idle += sum(x.numel() * x.element_size() for x in found)
            if self._idle > BYTES:
                self._forget()

    def _forget(self) -> None:
        for key in [k for k, (_, out) in self._by.items() if not self._calls[out.call].grad]:
            del self._by[key]
        for call in self._calls:
            if not call.grad:
                call.args, call.kwargs = (), {}
        self._idle = 0

    def _out(self, x: Any) -> Out | None:
        known = self._by.get(id(x))
        if known is None or known[0] is not x:
            return None
        if x.requires_grad and not self._calls[known[1].call].grad:
            return None  # a function with a backward of its own made it, of which only the inside was seen
        return known[1]

    # Backward ---------------------------------------------------------------------------------------
    def _before_backward(self, args: Any, kwargs: Any) -> None:
        loss = args[0] if args else kwargs.get("tensors", kwargs.get("self"))
        if isinstance(loss, tuple | list) and len(loss) == 1:
            loss = loss[0]
        weight = kwargs.get("gradient", kwargs.get("grad_tensors", args[1] if len(args) > 1 else None))
        out = self._out(loss)
        if out is None or not isinstance(loss, Tensor):
            self._reason = self._reason or "its loss is computed by something that was not seen"
        elif weight is not None or kwargs.get("inputs") is not None or loss.numel() != 1:
            self._reason = self._reason or "it does not descend one number"
        else:
            if not self._losses:
                held = [p for p in self._trained() if p.grad is not None and bool(some(p.grad, 512).any())]
                self._fresh = not held
            self._losses.append((out, float(loss.detach())))

    def _after_backward(self) -> None:
        self._gradients = [
            (p, some(p.grad, 64).clone())
            for p in self._trained()
            if p.grad is not None and not p.grad.is_sparse
        ]

    def _trained(self) -> list[Tensor]:
        if self.optimizer is not None:
            return spread([p for g in self.optimizer.param_groups for p in g["params"]], 8)
        return spread([p for p in self.leaves.values() if p.requires_grad], 8)

    # Steps ------------------------------------------------------------------------------------------
    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        start = time.perf_counter()
        with torch._C.DisableTorchFunction(), torch.no_grad():
            self._see(optimizer, len(args) > 1 or kwargs.get("closure") is not None)
            if self._on:
                self._switch_off()
                self._pending = self._iteration(optimizer)
            else:
                self._pending = None
        self._stepping = True
        self.spent += time.perf_counter() - start

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        start = time.perf_counter()
        self._stepping = False
        self._stateful = self._stateful or bool(optimizer.state)
        self.steps += 1
        with torch._C.DisableTorchFunction(), torch.no_grad():
            if self._pending is not None:
                if len(self.checked) < CHECKED and self._pending.step == self.steps:
                    keys = spread([id(p) for g in optimizer.param_groups for p in g["params"]], 4)
                    self._pending.moved = [(k, some(self.leaves[k], 64).clone()) for k in keys]
                if self._pending.reason:
                    known = self.reasons.get(self._pending.reason, 0)
                    self.reasons[self._pending.reason] = known + 1
                else:
                    self.store.add(self._pending)
                self._pending = None
            self._clear()
        if self.store.chosen(self.steps + 1) and not self._hopeless():
            self._switch_on()
        self.spent += time.perf_counter() - start

    def _hopeless(self) -> bool:
        return not self.iterations and sum(self.reasons.values()) >= TRIES

    def _see(self, optimizer: Optimizer, closure: bool) -> None:
        """See an optimizer, and what it is set to."""
        if closure:
            self._reason = "a step calls the loss itself (a closure)"
        if self.optimizer is None:
            self.optimizer = self._now = optimizer
            for group in optimizer.param_groups:
                for p in group["params"]:
                    self._leaf(p)
        mine = {id(p) for g in self.optimizer.param_groups for p in g["params"]}
        if optimizer is not self._now:
            own = {id(p) for g in optimizer.param_groups for p in g["params"]}
            if own == mine and type(optimizer) is type(self.optimizer):
                self.resets.append(self.steps + 1)
            else:
                self._reason = self._reason or "several optimizers take turns"
            self._now = optimizer
        elif self._stateful and not optimizer.state:
            self.resets.append(self.steps + 1)
        now = [
            {k: v for k, v in g.items() if k not in ("params", "param_names")} for g in optimizer.param_groups
        ]
        if not self.settings or (self.settings[-1][1] != now and len(self.settings) < 100_000):
            self.settings.append((self.steps + 1, now))

    def _leaf(self, p: Tensor) -> int:
        if id(p) not in self.leaves:
            self.leaves[id(p)] = p
            self._held += p.numel() * p.element_size()
            if self._held <= self.store.most:
                self.initial[id(p)] = p.detach().clone()
            else:
                self._reason = "its parameters take more memory than may be kept"
        return id(p)

    def _know(self, module: nn.Module) -> None:
        if id(module) in self.modules:
            return
        self.modules[id(module)] = module
        for x in [*module.parameters(), *module.buffers()]:
            self._leaf(x)

    def _iteration(self, optimizer: Optimizer) -> Iteration:
        """Return what was seen since the step before, made short and with its data copied."""
        done = Iteration(self.steps + 1, fresh=self._fresh, clip=self._clip, reason=self._reason)
        trained = {id(p) for g in optimizer.param_groups for p in g["params"]}
        done.frozen = frozenset(
            k for k, p in self.leaves.items() if not p.requires_grad and isinstance(p, nn.Parameter)
        )
        if not self._losses and not done.reason:
            done.reason = "no loss was seen before a step"
        changed = [p for p, g in self._gradients if p.grad is None or not alike(some(p.grad, 64), g)]
        if changed and self._clip is None and not done.reason:
            done.reason = "gradients are changed between backward and step"
        before = self.store.next_key
        if not done.reason:
            try:
                for out, value in self._losses:
                    tape = shortened(self._calls, out)
                    tape.value = value
                    for call in tape.calls:
                        call.args = mapped(call.args, lambda x: self._kept(x, trained))
                        call.kwargs = mapped(call.kwargs, lambda x: self._kept(x, trained))
                    done.tapes.append(tape)
            except _NotSeen as reason:
                done.reason = str(reason)
        if done.reason:
            done.tapes = []
            self.store.forget_since(before)
        return done

    def _kept(self, x: Any, trained: set[int]) -> Any:
        """Return what stands for a tensor on a tape."""
        if isinstance(x, _Snap):
            return Value(self.store.value(x.x), True)
        if not isinstance(x, Tensor):
            return x
        if id(x) in self.leaves or id(x) in trained or isinstance(x, nn.Parameter):
            return Leaf(self._leaf(x))
        if x.grad_fn is not None:
            raise _NotSeen("its loss is computed by something that was not seen")
        if self._read and id(x) in self._later:
            raise _NotSeen("what it learns from is made of what it predicts")
        return Value(self.store.value(x))


class _NotSeen(Exception):
    """A tensor came from nowhere."""


def _is_root(module: nn.Module) -> bool:
    """Whether a module has anything of its own, and is no loss function."""
    if isinstance(module, nn.modules.loss._Loss):
        return False
    return next(module.parameters(), None) is not None or next(module.buffers(), None) is not None
