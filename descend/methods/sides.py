"""Matrices for the sides of a tensor: what SOAP, Shampoo and Kron share.

A tensor of order N has N sides; side k of a tensor x of shape (n₀, n₁, ...) is its unfolding x₍ₖ₎ of shape
(nₖ, everything else). For a matrix, side 0 is its rows and side 1 its columns, x₍₁₎ = xᵀ. A side that has no
matrix (it is too long, or was merged away) keeps one of shape (0, 0), which stands for the identity.

The functions here are for :func:`.equations.whole`: tensors first, then numbers. ``merge`` is the longest
side that merged dimensions may have, 0 where they stay as they are. Each carries ``stacked``, the same of
stacks of tensors (:mod:`.stacks`), which on GPUs is also how one is done.
"""

import math
from typing import Any

import torch
from torch import Tensor

from descend.methods import products

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
    if not x.is_cpu:
        return each_along(x.unsqueeze(0), k, a.unsqueeze(0)).squeeze(0)
    n = x.shape[k]
    before, after = x.shape[:k].numel(), x.shape[k + 1 :].numel()
    if after == 1:
        y = x.reshape(before, n) @ a.mT
    elif before == 1:
        y = a @ x.reshape(n, after)
    else:
        y = a @ x.reshape(before, n, after)
    return y.reshape(*x.shape[:k], a.shape[0], *x.shape[k + 1 :])


def each_along(x: Tensor, k: int, a: Tensor) -> Tensor:
    """Multiply side k of each of a stack."""
    if k == x.ndim - 2:
        y = products.product(x.reshape(len(x), x.shape[1:-1].numel(), x.shape[-1]), a.mT)
        return y.reshape(*x.shape[:-1], a.shape[1])
    y = products.product(a, each_unfolded(x, k))
    others = [n for i, n in enumerate(x.shape) if i not in (0, k + 1)]
    return y.reshape(len(x), a.shape[1], *others).movedim(1, k + 1)


def each_unfolded(x: Tensor, k: int) -> Tensor:
    """Return side k of each of a stack as a matrix."""
    if k == x.ndim - 2:
        return x.reshape(len(x), x.shape[1:-1].numel(), x.shape[-1]).mT
    return x.movedim(k + 1, 1).reshape(
        len(x), x.shape[k + 1], x.shape[1 : k + 1].numel() * x.shape[k + 2 :].numel()
    )


def each_merged(x: Tensor, merge: float) -> Tensor:
    """Return a stack with the dimensions of each merged."""
    return x.reshape(len(x), *merged(x.shape[1:], merge))


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


def _each_rotated(x: Tensor, *args: Any) -> Tensor:
    bases, (merge,) = split(args)
    y = each_merged(x, merge)
    for k, q in enumerate(bases):
        if q.numel():
            y = each_along(y, k, q.mT)
    return _apart(y.reshape(x.shape), x)


def _each_rotated_back(x: Tensor, *args: Any) -> Tensor:
    bases, (merge,) = split(args)
    y = each_merged(x, merge)
    for k, q in enumerate(bases):
        if q.numel():
            y = each_along(y, k, q)
    return _apart(y.reshape(x.shape), x)


rotated.stacked = _each_rotated  # type: ignore[attr-defined]
rotated_back.stacked = _each_rotated_back  # type: ignore[attr-defined]


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
    if not gram.is_cpu:
        _each_track(gram.unsqueeze(0), x.unsqueeze(0), keep, take, k, merge)
    elif gram.numel():
        a = unfolded(x.reshape(merged(x.shape, merge)), int(k))
        for i in range(0, len(a), _BLOCK):
            some = slice(i, i + _BLOCK)
            gram[some, : i + _BLOCK].addmm_(a[some], a[: i + _BLOCK].mT, beta=keep, alpha=take)
    return gram


def _each_track(gram: Tensor, x: Tensor, keep: float, take: float, k: float, merge: float) -> Tensor:
    if gram.numel():
        a = each_unfolded(each_merged(x, merge), int(k))
        products.symmetric(a, a, gram, take, keep, out=gram, mirrors=False)
    return gram


tracked.in_place = _track  # type: ignore[attr-defined]
tracked.stacked = _each_track  # type: ignore[attr-defined]


def symmetric(gram: Tensor) -> Tensor:
    """Return the whole of a symmetric matrix from its lower triangle."""
    if not gram.is_cpu:
        return _each_symmetric(gram)
    whole = gram.clone()
    for i in range(_BLOCK, len(gram), _BLOCK):
        some = slice(i, i + _BLOCK)
        whole[:i, some] = gram[some, :i].mT
    return whole


def _each_symmetric(gram: Tensor) -> Tensor:
    return torch.tril(gram) + torch.tril(gram, -1).mT


symmetric.stacked = _each_symmetric  # type: ignore[attr-defined]


def blocks(x: Tensor, size: float) -> Tensor:
    """Cut every side longer than ``size`` into blocks, the last filled with zeros.

    Returns:
        A tensor of shape (number of blocks, one block's sides).
    """
    if all(n <= size for n in x.shape):
        return x.unsqueeze(0)
    return each_blocks(x.unsqueeze(0), size).squeeze(0)


def each_blocks(x: Tensor, size: float) -> Tensor:
    """Cut each of a stack into blocks: (k, ...) to (k, number of blocks, one block's sides)."""
    shape = x.shape[1:]
    if all(n <= size for n in shape):
        return x.unsqueeze(1)
    lengths, counts = _cut(shape, size)
    missing = [c * b - n for n, c, b in zip(shape, counts, lengths, strict=True)]
    if any(missing):
        x = torch.nn.functional.pad(x, [p for n in reversed(missing) for p in (0, n)])
    x = x.reshape([len(x), *(part for c, b in zip(counts, lengths, strict=True) for part in (c, b))])
    x = x.permute(0, *range(1, x.ndim, 2), *range(2, x.ndim, 2))
    return x.reshape(len(x), math.prod(counts), *lengths)


def together(x: Tensor, shape: torch.Size, size: float) -> Tensor:
    """Put blocks together again: the inverse of :func:`blocks`."""
    if all(n <= size for n in shape):
        return x.squeeze(0)
    return each_together(x.unsqueeze(0), shape, size).squeeze(0)


def each_together(x: Tensor, shape: torch.Size, size: float) -> Tensor:
    """Do the inverse of :func:`each_blocks`; ``shape`` is that of one."""
    if all(n <= size for n in shape):
        return x.squeeze(1)
    lengths, counts = _cut(shape, size)
    x = x.reshape(len(x), *counts, *lengths)
    x = x.permute([0, *(k for i in range(len(counts)) for k in (i + 1, len(counts) + i + 1))])
    x = x.reshape([len(x), *(c * b for c, b in zip(counts, lengths, strict=True))])
    return x[(slice(None), *(slice(n) for n in shape))]


def _cut(shape: torch.Size, size: float) -> tuple[list[int], list[int]]:
    """Return the lengths of a block's sides, and how many there are of each."""
    lengths = [min(n, int(size)) for n in shape]
    return lengths, [-(-n // b) if b else 1 for n, b in zip(shape, lengths, strict=True)]
