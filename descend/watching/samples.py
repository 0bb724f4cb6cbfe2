"""Parts of tensors that tell of the whole: cheap to take, and small to keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch._C._functorch import TransformType, get_interpreter_stack, peek_interpreter_stack

T = TypeVar("T")
ELEMENTS = 4096
"""How many elements of a tensor are looked at."""
_NUMPYS = (torch.float32, torch.float64)


def mapped() -> bool:
    """Whether tensors stand for many of theirs (``torch.vmap``): they have no numbers to look at."""
    if peek_interpreter_stack() is None:
        return False
    levels = get_interpreter_stack() or ()
    return any(level.key() == TransformType.Vmap for level in levels)


def local(x: Tensor) -> Tensor:
    """Return what there is to look at: this process's part of a tensor that is cut, a sparse one's values."""
    if type(x).__name__ == "DTensor":
        return x.detach().to_local()  # type: ignore[attr-defined]
    if x.layout == torch.strided:
        return x
    return x.detach()._values() if x.layout == torch.sparse_coo else x.detach().values()


def held(x: Tensor) -> bool:
    """Whether a tensor's memory is there: that of gathered parts is freed, and the tensor is left."""
    return not x.numel() or local(x).untyped_storage().nbytes() > 0


def some(x: Tensor, count: int = ELEMENTS) -> Tensor:
    """Return at most so many elements of a tensor, evenly spaced, as one dimension; they share its memory."""
    flat = local(x).detach()
    flat = flat.reshape(-1) if flat.is_contiguous() else flat.flatten()
    n = flat.numel()
    return flat if n <= count else flat[:: stride(n, count)]


def stride(n: int, count: int) -> int:
    """Return how far apart at most so many of n elements are: oddly far, to meet every unit and column."""
    return -(-n // count) | 1 if n > count else 1


def as_it_lies(x: Tensor) -> Tensor:
    """Return the same numbers in the order of their memory: some of them are there without a copy of all."""
    if x.is_contiguous() or x.layout != torch.strided or x.dim() < 2:
        return x
    return x.detach().permute(sorted(range(x.dim()), key=lambda d: -x.stride(d)))


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return at most so many of some things, evenly spaced, the first and the last among them."""
    if len(items) <= count:
        return list(items)
    stride = len(items) / count
    return [items[int(i * stride)] for i in range(count - 1)] + [items[-1]]


def numbers(x: Tensor, count: int = ELEMENTS) -> np.ndarray:
    """Return at most so many elements as numpy has them, in float32 or float64; on a CPU they may be shared.

    What is computed of a few thousand numbers takes a third of the time there.
    """
    x = local(x)
    if x.is_cpu and x.layout == torch.strided and x.dtype in _NUMPYS and not x.is_neg() and x.is_contiguous():
        whole = x.detach().numpy().reshape(-1)
        return whole if whole.size <= count else whole[:: stride(whole.size, count)]
    part = some(x, count)
    if part.dtype not in _NUMPYS:
        part = part.float()
    return part.resolve_neg().cpu().numpy()


def moments(x: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation, added up in double; nan where there are no numbers."""
    if not x.size:
        return float("nan"), float("nan")
    wide = x.astype(np.float64, copy=False)
    mean = float(np.add.reduce(wide)) / x.size
    if mean - mean != 0:
        return mean, float("nan")
    square = float(np.dot(wide, wide)) / x.size
    if mean * mean < 1e-3 * square:
        return mean, (square - mean * mean) ** 0.5
    wide = wide - mean  # of a difference of the two little would be left
    return mean, (float(np.dot(wide, wide)) / x.size) ** 0.5


def norm(x: np.ndarray) -> float:
    """Return a Euclidean norm, added up in double."""
    wide = x.astype(np.float64, copy=False)
    return float(np.dot(wide, wide) ** 0.5)


def share(x: Tensor) -> float:
    """Return the factor from a norm of :func:`some` to the norm of all."""
    n = x.numel()
    return 1.0 if n <= ELEMENTS else (n / -(-n // stride(n, ELEMENTS))) ** 0.5


def fingerprint(x: Tensor) -> int:
    """Return a number that is the same for the same contents."""
    x = local(x)
    flat = x.detach().reshape(-1)
    part = flat[:: stride(flat.numel(), 512)]
    numbers = part.double() if not part.is_complex() else torch.view_as_real(part).double()
    weights = torch.arange(1, numbers.numel() + 1, dtype=torch.float64, device=numbers.device)
    return hash((tuple(x.shape), float((numbers.flatten() * weights).sum()), float(numbers.sum())))


def picked(examples: int, count: int) -> slice:
    """Return which of a batch's examples are kept, at most so many: evenly spaced."""
    return slice(0, None, max(1, -(-examples // count)))


def rows(x: Tensor, count: int, features: int) -> Tensor:
    """Return at most ``count`` examples as rows of at most ``features`` float32 numbers."""
    some_rows = x.detach()[picked(len(x), count)]
    some_rows = some_rows.reshape(len(some_rows), -1)
    if some_rows.shape[1] > features:
        some_rows = some_rows[:, :: -(-some_rows.shape[1] // features)]
    return some_rows.to("cpu", torch.float32, copy=True)
