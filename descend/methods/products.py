"""Products of matrices on a GPU: symmetric ones for half the price, float32 ones on the tensor cores.

One kernel computes C = α A Bᵀ + β D for stacks of matrices. Where C is known to be symmetric (A Aᵀ, and
products of symmetric matrices that commute) only the tiles up to the diagonal are computed, and mirrored as
they are stored.

Tensor cores do not multiply float32. There, a matrix is cut into two of float16, x s = high + low with s a
power of two that brings the largest entry to 2¹³: 22 bits, and A Bᵀ = high highᵀ + high lowᵀ + low highᵀ but
for 2⁻²² of ‖A‖‖B‖, in three products that are ten times faster than float32's one (Ootomo & Yokota 2022,
arXiv:2203.03341). bfloat16 and float16 are taken as they are.

The kernels are imported when they are first needed: they want Triton, which comes with torch on Linux.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

HALVES = (torch.bfloat16, torch.float16)

LEAST = 128
"""The least side from which a product goes to the kernel; the time of smaller ones is not arithmetic."""


class Tiling(NamedTuple):
    """How a product is cut up: tiles of side × side, ``depth`` at a time.

    Attributes:
        side: of a tile.
        depth: what is multiplied at a time.
        warps: that work on a tile.
        stages: depths that are on their way from memory.
        registers: the most a thread may have, so that two tiles fit on a processor; ``None``: as it comes.
    """

    side: int
    depth: int
    warps: int
    stages: int
    registers: int | None = None


def tiling(m: int, parts: int) -> Tiling:
    """Return how products with m rows are cut up.

    A table rather than a search at run time, which would take seconds of the first step.

    Args:
        m: rows of the result.
        parts: 1, or 2 where matrices are cut into high and low: twice the shared memory a stage.
    """
    if m <= 256:
        return Tiling(64, 64, 4, 4 if parts == 1 else 3)
    return Tiling(128, 64, 8, 3, 128) if parts == 1 else Tiling(128, 64, 8, 3)


@cache
def kernels() -> Any:
    """Return the module of kernels; ``None`` where there is no Triton."""
    try:
        from descend.methods import product_kernels
    except ImportError:
        return None
    return product_kernels


def fast(x: Tensor) -> bool:
    """Whether the kernel takes products of x with matrices like it."""
    return (
        x.is_cuda
        and min(x.shape[-2:]) >= LEAST
        and x.shape[-2:].numel() < 1 << 31
        and (x.dtype in HALVES or x.dtype == torch.float32)
        and kernels() is not None
    )


def symmetric(
    a: Tensor,
    b: Tensor,
    d: Tensor | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    out: Tensor | None = None,
    mirrors: bool = True,
) -> Tensor:
    """Return α A Bᵀ + β D of stacks whose result is symmetric; where it pays, each entry is computed once.

    Args:
        a: shape (k, m, n), any strides.
        b: shape (k, m, n); a itself, or such that A Bᵀ is symmetric.
        d: shape (k, m, m), symmetric; on a GPU of float32 only its lower triangle is read.
        alpha: factor of the product.
        beta: factor of ``d``.
        out: where to; not where ``a`` or ``b`` lies, but it may be ``d``.
        mirrors: whether the upper triangle is wanted too.
    """
    if fast(a):
        return _product(a, b, d, alpha, beta, out, True, mirrors)
    if out is None:
        out = a.new_empty(len(a), a.shape[1], a.shape[1])
    if d is None:
        d, beta = out, 0.0
    return torch.baddbmm(d, a, b.mT, beta=beta, alpha=alpha, out=out)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return A B of stacks (k, m, n) and (k, n, o); of float32, on a GPU, with 22 bits of each number."""
    if a.dtype == torch.float32 and fast(a) and fast(b):
        return _product(a, b.mT, None, 1.0, 0.0, None, False, False)
    return torch.bmm(a, b)


def to(dtype: torch.dtype, a: Tensor, b: Tensor) -> Tensor:
    """Return A B of stacks in half precision as another dtype, rounded once."""
    if a.is_cuda and dtype == torch.float32 and a.dtype in HALVES:
        return torch.bmm(a, b, out_dtype=dtype)
    return torch.bmm(a, b).to(dtype)


@dataclass(frozen=True, slots=True)
class Cut:
    """A stack of float32 as two of float16.

    Attributes:
        parts: shape (2, k, m, n): x s rounded, and what is missing.
        scale: s, one a matrix.
    """

    parts: Tensor
    scale: Tensor


def cut(x: Tensor) -> Cut:
    """Cut a stack of float32 (k, m, n) into high and low."""
    largest = torch.linalg.vector_norm(x, float("inf"), dim=(-2, -1))
    exponent = torch.frexp(largest)[1].clamp_(-112, 126)  # s and 1/s are to be normal numbers
    scale = torch.ldexp(torch.ones_like(largest), 13 - exponent)
    parts = torch.empty((2, *x.shape), dtype=torch.float16, device=x.device)
    kernels().cut(x, scale, parts)
    return Cut(parts, scale)


def _product(
    a: Tensor,
    b: Tensor,
    d: Tensor | None,
    alpha: float,
    beta: float,
    out: Tensor | None,
    symmetric: bool,
    mirrors: bool,
) -> Tensor:
    if out is None:
        out = torch.empty((len(a), a.shape[1], b.shape[1]), dtype=a.dtype, device=a.device)
    two = a.dtype == torch.float32
    how = tiling(min(a.shape[1], b.shape[1]), 1 + two)
    x = cut(a) if two else a
    y = x if b is a else cut(b) if two else b
    kernels().multiply(x, y, d, out, alpha, beta, symmetric, mirrors, how)
    return out
