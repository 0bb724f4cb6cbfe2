"""Matrices for the sides of a tensor: what SOAP, Shampoo and Kron share.

A tensor of order N has N sides; side k of a tensor x of shape (n₀, n₁, ...) is its unfolding x₍ₖ₎ of shape
(nₖ, everything else). For a matrix, side 0 is its rows and side 1 its columns, x₍₁₎ = xᵀ. A side that has no
matrix (it is too long, or was merged away) keeps one of shape (0, 0), which stands for the identity.

The functions here are for :func:`.equations.whole`: tensors first, then numbers. ``merge`` is the longest
side that merged dimensions may have, 0 where they stay as they are.
"""

import math
from typing import Any

import torch
from torch import Tensor

ORDERS = ("vector", "matrix", "order 3", "order 4", "order 5", "order 6")
"""The forms of parameter, by how many sides they have; a number alone is a vector of one."""


def order(w: Tensor) -> str:
    """Return a parameter's form: how many sides it has."""
    return ORDERS[min(max(w.ndim, 1), len(ORDERS)) - 1]


def sides(form: str) -> range:
    """Return the numbers of a form's sides."""
    return range(ORDERS.index(form) + 1)


def merged(shape: tuple[int, ...], limit: float) -> tuple[int, ...]:
    """Return a shape whose neighbouring dimensions are joined as long as the product is at most ``limit``."""
    if not limit or len(shape) < 2:
        return tuple(shape)
    found: list[int] = []
    product = 1
    for n in shape:
        if product * n <= limit:
            product *= n
        elif product > 1:
            found.append(product)
            product = n
        else:
            found.append(n)
            product = 1
    return (*found, product) if product > 1 or not found else tuple(found)


def square(k: int, w: Tensor, limit: int, merge: bool) -> tuple[int, int]:
    """Return the shape of side k's matrix: (nₖ, nₖ), or (0, 0) where it has none."""
    shape = merged(w.shape, limit if merge else 0)
    n = shape[k] if k < len(shape) and w.numel() else 0
    return (n, n) if n <= limit else (0, 0)


def split(args: tuple[Any, ...]) -> tuple[list[Tensor], list[float]]:
    """Take a function's arguments apart: tensors and numbers."""
    tensors = [a for a in args if isinstance(a, Tensor)]
    return tensors, list(args[len(tensors) :])


def along(x: Tensor, k: int, a: Tensor) -> Tensor:
    """Multiply side k of x by a: y₍ₖ₎ = a x₍ₖ₎."""
    n = x.shape[k]
    before, after = x.shape[:k].numel(), x.shape[k + 1 :].numel()
    if after == 1:
        y = x.reshape(before, n) @ a.mT
    elif before == 1:
        y = a @ x.reshape(n, after)
    else:
        y = a @ x.reshape(before, n, after)
    return y.reshape(*x.shape[:k], a.shape[0], *x.shape[k + 1 :])


def unfolded(x: Tensor, k: int) -> Tensor:
    """Return side k of x as a matrix, x₍ₖ₎."""
    if k == x.ndim - 1:
        return x.reshape(-1, x.shape[k]).mT
    return x.movedim(k, 0).reshape(x.shape[k], -1)


def rotated(x: Tensor, *args: Any) -> Tensor:
    """Take x into the bases of its sides: Q₀ᵀ x Q₁ for a matrix. Arguments: bases; merge."""
    bases, (merge,) = split(args)
    y = x.reshape(merged(x.shape, merge))
    for k, q in enumerate(bases):
        if q.numel():
            y = along(y, k, q.mT)
    return _apart(y.reshape(x.shape), x)


def rotated_back(x: Tensor, *args: Any) -> Tensor:
    """Take x out of the bases of its sides: Q₀ x Q₁ᵀ for a matrix. Arguments: bases; merge."""
    bases, (merge,) = split(args)
    y = x.reshape(merged(x.shape, merge))
    for k, q in enumerate(bases):
        if q.numel():
            y = along(y, k, q)
    return _apart(y.reshape(x.shape), x)


def _apart(y: Tensor, x: Tensor) -> Tensor:
    return y.clone() if y.data_ptr() == x.data_ptr() else y


_BLOCK = 192
"""Rows of a block of a symmetric product: large enough for the matrix product's full speed."""


def tracked(gram: Tensor, x: Tensor, keep: float, take: float, k: float, merge: float) -> Tensor:
    """Return keep·gram + take·x₍ₖ₎x₍ₖ₎ᵀ: a moving average (or sum) of the products of a side.

    Of ``gram`` only the lower triangle counts, as in LAPACK: half of the work. :func:`symmetric` completes
    it.
    """
    return _track(gram.clone(), x, keep, take, k, merge)


def _track(gram: Tensor, x: Tensor, keep: float, take: float, k: float, merge: float) -> Tensor:
    """Do the same in place."""
    if gram.numel():
        a = unfolded(x.reshape(merged(x.shape, merge)), int(k))
        for i in range(0, len(a), _BLOCK):
            some = slice(i, i + _BLOCK)
            gram[some, : i + _BLOCK].addmm_(a[some], a[: i + _BLOCK].mT, beta=keep, alpha=take)
    return gram


tracked.in_place = _track  # type: ignore[attr-defined]


def symmetric(gram: Tensor) -> Tensor:
    """Return the whole of a symmetric matrix from its lower triangle."""
    whole = gram.clone()
    for i in range(_BLOCK, len(gram), _BLOCK):
        some = slice(i, i + _BLOCK)
        whole[:i, some] = gram[some, :i].mT
    return whole


def blocks(x: Tensor, size: float) -> Tensor:
    """Cut every side longer than ``size`` into blocks, the last filled with zeros.

    Returns:
        A tensor of shape (number of blocks, one block's sides).
    """
    lengths = [min(n, int(size)) for n in x.shape]
    counts = [-(-n // b) if b else 1 for n, b in zip(x.shape, lengths, strict=True)]
    missing = [c * b - n for n, c, b in zip(x.shape, counts, lengths, strict=True)]
    if any(missing):
        x = torch.nn.functional.pad(x, [p for n in reversed(missing) for p in (0, n)])
    x = x.reshape([part for c, b in zip(counts, lengths, strict=True) for part in (c, b)])
    x = x.permute(*range(0, x.ndim, 2), *range(1, x.ndim, 2))
    return x.reshape(math.prod(counts), *lengths)


def together(x: Tensor, shape: torch.Size, size: float) -> Tensor:
    """Put blocks together again: the inverse of :func:`blocks`."""
    lengths = [min(n, int(size)) for n in shape]
    counts = [-(-n // b) if b else 1 for n, b in zip(shape, lengths, strict=True)]
    x = x.reshape(*counts, *lengths)
    x = x.permute([k for i in range(len(counts)) for k in (i, len(counts) + i)])
    x = x.reshape([c * b for c, b in zip(counts, lengths, strict=True)])
    return x[tuple(slice(n) for n in shape)]
