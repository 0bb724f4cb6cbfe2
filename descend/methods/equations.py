"""The words that equations are written in.

Each works on tensors (run at once), on floats (hyperparameters, in double), and on the symbols of
:mod:`.trace` (written down).
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from descend.methods.trace import Host, Value, apply, host_apply


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
    """torch has one name for a bound that is a number and another for one that is a tensor."""
    return lambda x, y: tensor(x, y) if isinstance(y, Tensor) else scalar(x, y)


sqrt = _word("sqrt", math.sqrt, torch.sqrt)
"""√x, element by element."""
exp = _word("exp", math.exp, torch.exp)
"""eˣ, element by element."""
absolute = _word("abs", abs, torch.abs)
"""|x|, element by element."""
sign = _word("sign", lambda x: math.copysign(1.0, x) if x else 0.0, torch.sign)
"""-1, 0 or 1, element by element."""
maximum = _word("maximum", max, _pairwise(torch.clamp_min, torch.maximum))
"""The larger of two, element by element; the second may be a number."""
minimum = _word("minimum", min, _pairwise(torch.clamp_max, torch.minimum))
"""The smaller of two, element by element; the second may be a number."""
norm = _word("norm", None, torch.linalg.vector_norm)
"""The Euclidean norm of a whole tensor: one number a tensor."""
lerp = _word("lerp", lambda a, b, t: a + t * (b - a), torch.lerp)
"""a + t (b − a): a moved a share t of the way to b; t is a hyperparameter."""
where = _word("where", lambda c, a, b: a if c else b, torch.where)
"""a where c holds, b elsewhere. On hyperparameters and steps it is decided once a tensor."""


class Cut(Exception):
    """The reference executor's signal that a total is not known yet; it carries one tensor's part."""

    def __init__(self, part: Tensor):
        self.part = part


_known: list[Tensor] | None = None
_used = 0


@contextmanager
def totals(known: list[Tensor]) -> Iterator[None]:
    """Run a rule with the first totals known; the next one raises :class:`Cut`."""
    global _known, _used
    _known, _used = known, 0
    try:
        yield
    finally:
        _known = None


def total(x: Any) -> Any:
    """Σx over every element of every parameter of the group: one number for all.

    This is where sharded training communicates.
    """
    global _used
    if isinstance(x, Value):
        return apply("total", x)
    assert _known is not None, "total() only has a meaning inside a rule that an executor runs"
    if _used == len(_known):
        raise Cut(x.sum())
    _used += 1
    return _known[_used - 1]
