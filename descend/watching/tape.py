"""What a step computed, written down so that it can be computed again with other parameters.

A *tape* is the list of calls from which one loss came: of modules, as a whole, and of functions of torch
between and around them. Data are kept by value; parameters are looked up when it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Out:
    """An output of an earlier call: which call, and which of the tensors in its output."""

    call: int
    place: int = 0


@dataclass(frozen=True)
class Leaf:
    """A parameter, or another tensor that is not data, by its key."""

    key: int


@dataclass(frozen=True)
class Value:
    """Data, by their key; ``fresh``: a call writes into them, so that each playing takes a copy."""

    key: int
    fresh: bool = False


@dataclass
class Call:
    """One call.

    Attributes:
        function: a function of torch, or None for a module.
        module: the module's key; 0 for a function.
        args: its arguments, where tensors are :class:`Out`, :class:`Leaf` or :class:`Value`.
        kwargs: those with a name.
        grad: whether gradients were enabled.
        random: the state of torch's generator before, where chance may be drawn from it.
        modes: of a module and all its parts in order: whether each was in training mode.
        cast: the type to which autocast cast on the CPU; None where it was off.
    """

    function: Callable[..., Any] | None
    module: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    grad: bool = True
    random: Tensor | None = None
    modes: tuple[bool, ...] = ()
    cast: torch.dtype | None = None

    @property
    def name(self) -> str:
        """The function's name; empty for a module."""
        return getattr(self.function, "__name__", "") if self.function is not None else ""


@dataclass
class Tape:
    """All calls that one loss needs, in order; ``loss`` is which output it is."""

    calls: list[Call]
    loss: Out
    value: float = float("nan")

    def values(self) -> set[int]:
        """Return the keys of all its data."""
        return {
            ref.key for c in self.calls for ref in references((c.args, c.kwargs)) if isinstance(ref, Value)
        }


@dataclass
class Iteration:
    """What came before one step of an optimizer.

    Attributes:
        step: its number.
        tapes: of each backward, in order.
        fresh: whether it began without gradients of the step before.
        clip: what gradients were clipped with between backward and step: (name, arguments); None: nothing.
        frozen: keys of parameters that wanted no gradient then.
        reason: why it cannot be played; empty where it can.
        moved: of a few parameters: (key, some of its elements after the step).
    """

    step: int
    tapes: list[Tape] = field(default_factory=list)
    fresh: bool = True
    clip: tuple[str, tuple[Any, ...]] | None = None
    frozen: frozenset[int] = frozenset()
    reason: str = ""
    moved: list[tuple[int, Tensor]] = field(default_factory=list)

    @property
    def data(self) -> frozenset[int]:
        """The keys of all its data."""
        return frozenset(key for tape in self.tapes for key in tape.values())

    @property
    def loss(self) -> float:
        """The mean of its losses."""
        return sum(t.value for t in self.tapes) / max(1, len(self.tapes))


def mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested tuples, lists, mappings and slices with each leaf changed."""
    if isinstance(tree, tuple):
        parts = [mapped(x, change) for x in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    if isinstance(tree, list):
        return [mapped(x, change) for x in tree]
    if type(tree) is dict:
        return {k: mapped(x, change) for k, x in tree.items()}
    if isinstance(tree, slice):
        return slice(*(mapped(x, change) for x in (tree.start, tree.stop, tree.step)))
    return change(tree)


def references(tree: Any) -> list[Any]:
    """Return all references in a tree."""
    found: list[Any] = []

    def see(leaf: Any) -> Any:
        if isinstance(leaf, Out | Leaf | Value):
            found.append(leaf)
        return leaf

    mapped(tree, see)
    return found


def tensors(out: Any) -> list[Tensor]:
    """Return the tensors in what a call gave, always in the same order."""
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, tuple | list):
        return [t for part in out for t in tensors(part)]
    if isinstance(out, Mapping):
        return [t for part in out.values() for t in tensors(part)]
    if out is not None and hasattr(out, "__dict__") and not isinstance(out, nn.Module | type):
        return [
            t for part in vars(out).values() for t in tensors(part) if isinstance(part, Tensor | tuple | list)
        ]
    return []


class Player:
    """Plays tapes.

    Args:
        leaves: parameters by key.
        modules: by key.
        values: data by key.
    """

    def __init__(
        self, leaves: Mapping[int, Tensor], modules: Mapping[int, nn.Module], values: Mapping[int, Tensor]
    ):
        self.leaves, self.modules, self.values = leaves, modules, values

    def play(
        self,
        tape: Tape,
        *,
        as_drawn: bool = False,
        training: bool | None = None,
        around: Callable[[int, Call, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]
        | None = None,
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """Compute a loss again; return it with the tensors of every call's output.

        Args:
            tape: what to compute.
            as_drawn: draw the random numbers that were drawn then.
            training: the mode of all modules; by default the one that each had.
            around: is handed each call's place, the call and its arguments, and returns other ones.
        """
        made: list[list[Tensor]] = []

        def found(leaf: Any) -> Any:
            if isinstance(leaf, Out):
                return made[leaf.call][leaf.place]
            if isinstance(leaf, Leaf):
                return self.leaves[leaf.key]
            if isinstance(leaf, Value):
                value = self.values[leaf.key]
                return value.detach().clone().requires_grad_(value.requires_grad) if leaf.fresh else value
            return leaf

        for place, call in enumerate(tape.calls):
            args, kwargs = mapped(call.args, found), mapped(call.kwargs, found)
            if around is not None:
                args, kwargs = around(place, call, args, kwargs)
            if as_drawn and call.random is not None:
                torch.set_rng_state(call.random)
            grad = call.grad and torch.is_grad_enabled()
            with ExitStack() as within:
                within.enter_context(torch.set_grad_enabled(grad))
                if call.cast is not None:
                    within.enter_context(torch.autocast("cpu", call.cast))
                if call.function is None:
                    module = self.modules[call.module]
                    parts = list(module.modules())
                    for part, mode in zip(parts, call.modes, strict=len(parts) == len(call.modes)):
                        part.training = mode if training is None else training
                    out = module(*args, **kwargs)
                else:
                    out = call.function(*args, **kwargs)
            made.append(tensors(out))
        return made[tape.loss.call][tape.loss.place], made


def shortened(calls: list[Call], loss: Out) -> Tape:
    """Return the tape of a loss alone: the calls that it needs."""
    wanted, needed = [loss.call], set()
    while wanted:
        place = wanted.pop()
        if place not in needed:
            needed.add(place)
            call = calls[place]
            wanted += [ref.call for ref in references((call.args, call.kwargs)) if isinstance(ref, Out)]
    order = sorted(needed)
    new = {old: k for k, old in enumerate(order)}

    def renumbered(leaf: Any) -> Any:
        return Out(new[leaf.call], leaf.place) if isinstance(leaf, Out) else leaf

    kept = [
        replace(calls[k], args=mapped(calls[k].args, renumbered), kwargs=mapped(calls[k].kwargs, renumbered))
        for k in order
    ]
    return Tape(kept, Out(new[loss.call], loss.place))


def set_item(x: Tensor, place: Any, value: Any) -> Tensor:
    """Write into a tensor, and return it: what ``x[place] = value`` is on a tape."""
    x[place] = value
    return x


def is_data(x: Any) -> bool:
    """Whether something is a tensor that wants no gradient."""
    return isinstance(x, Tensor) and not x.requires_grad and x.layout == torch.strided


def alike(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are the same, where not being a number is the same as that."""
    return torch.equal(a.nan_to_num(), b.nan_to_num())
