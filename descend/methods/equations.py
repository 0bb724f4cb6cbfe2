"""The words that equations are written in.

Each works on tensors (run at once), on floats (hyperparameters, in double), and on the symbols of
:mod:`.trace` (written down).
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from descend.methods.rule import Kept, elementwise
from descend.methods.trace import Host, Value, apply, apply_whole, host_apply


def _word(name: str, on_float: Callable[..., float] | None, on_tensor: Callable[..., Tensor]) -> Callable:
    def word(*args: Any) -> Any:
        if any(isinstance(a, Value) for a in args):
            return apply(name, *args)
        if any(isinstance(a, Tensor) for a in args):
            return on_tensor(*args)
        if any(isinstance(a, Host) for a in args):
            return host_apply(name, *args)
        assert on_float is not None, f"{name} needs a tensor"
        return on_float(*args)

    word.__name__ = name
    return word


def _pairwise(scalar: Callable[..., Tensor], tensor: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A bound that is a number has another name in torch than one that is a tensor."""

    def either(x: Any, y: Any) -> Tensor:
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            return tensor(x, y)
        return scalar(x, y) if isinstance(x, Tensor) else scalar(y, x)

    return either


def _where(condition: Any, a: Any, b: Any) -> Any:
    if isinstance(condition, Tensor):
        if not isinstance(a, Tensor) and not isinstance(b, Tensor):
            raise TypeError("where() on a tensor's values needs a tensor to choose")
        return torch.where(condition, a, b)
    return a if condition else b


sqrt = _word("sqrt", math.sqrt, torch.sqrt)
"""√x, element by element."""
exp = _word("exp", math.exp, torch.exp)
"""eˣ, element by element."""
log = _word("log", math.log, torch.log)
"""The natural logarithm, element by element."""
absolute = _word("abs", math.fabs, torch.abs)
"""|x|, element by element."""
sign = _word("sign", lambda x: math.copysign(1.0, x) if x else 0.0, torch.sign)
"""-1, 0 or 1, element by element."""
maximum = _word("maximum", max, _pairwise(torch.clamp_min, torch.maximum))
"""The larger of two, element by element; one may be a number."""
minimum = _word("minimum", min, _pairwise(torch.clamp_max, torch.minimum))
"""The smaller of two, element by element; one may be a number."""
norm = _word("norm", None, torch.linalg.vector_norm)
"""The Euclidean norm of a whole tensor: one number a tensor."""
mean = _word("mean", None, torch.mean)
"""The mean over a whole tensor: one number a tensor."""
lerp = _word("lerp", lambda a, b, t: a + t * (b - a), torch.lerp)
"""a + t (b − a): a moved a share t of the way to b."""
where = _word("where", _where, _where)
"""a where c holds, b elsewhere. Conditions are comparisons, and good for nothing else; those of
hyperparameters and steps are decided once a tensor."""


def given(x: Any) -> bool:
    """Whether a hyperparameter that may be ``None`` is a number; a rule may branch on it."""
    return x.path.decide(f"({x.text} is not None)") if isinstance(x, Host) and x.path else x is not None


def whole(function: Callable[..., Tensor], *args: Any, gives: Kept = elementwise) -> Any:
    """function(x, ...) of whole tensors: a product of matrices, an eigenbasis, a mean.

    Args:
        function: takes tensors, then numbers; returns a new tensor, which is not a view of what it was
            given. It may carry ``batched``, the same of a list of tensors (of any shapes) and numbers, for
            executors that have them all at hand.
        *args: tensors first, then hyperparameters or numbers.
        gives: ``one_a_tensor`` where the result is a single number.
    """
    if not isinstance(args[0], Value):
        return function(*args)
    return apply_whole("reduce" if gives.kind == "tensor" else "whole", function, *args)


class Cut(Exception):
    """The reference executor's signal that a total is not known yet; it carries one tensor's share."""

    def __init__(self, share: Tensor):
        self.share = share


_totals: ContextVar[Iterator[Tensor] | None] = ContextVar("totals", default=None)


@contextmanager
def totals(known: Iterable[Tensor]) -> Iterator[None]:
    """Run a rule with the first totals known; the next one raises :class:`Cut`."""
    token = _totals.set(iter(known))
    try:
        yield
    finally:
        _totals.reset(token)


def total(x: Any) -> Any:
    """Σx over every element of x of every parameter in every group: one number for all.

    This is where sharded training communicates. Groups must agree on how many totals there are.
    """
    if isinstance(x, Value):
        return apply("total", x)
    known = _totals.get()
    assert known is not None, "total() only has a meaning inside a rule that an executor runs"
    found = next(known, None)
    if found is None:
        raise Cut(share(x))
    return found


def share(x: Tensor) -> Tensor:
    """Return one tensor's share of a total; half precision has too few digits for it."""
    return x.sum(dtype=torch.promote_types(x.dtype, torch.float32))
