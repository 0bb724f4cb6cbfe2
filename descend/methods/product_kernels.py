"""The Triton kernels of :mod:`.products`."""

from __future__ import annotations

from typing import Any, cast

import triton
import triton.language as tl
from torch import Tensor

from descend.methods.products import Cut, Tiling

GROUP = 8
"""Rows of tiles that are worked on together, so that the tiles they need stay in the cache."""


@triton.jit
def _triangle(t):
    """Return row and column of the t-th tile up to the diagonal, row after row."""
    row = ((tl.sqrt(8.0 * t + 1.0) - 1.0) * 0.5).to(tl.int32)
    row = tl.where(row * (row + 1) // 2 > t, row - 1, row)
    row = tl.where((row + 1) * (row + 2) // 2 <= t, row + 1, row)
    return row, t - row * (row + 1) // 2


@triton.jit
def _lower_tile(t, rows, GROUP: tl.constexpr):
    """Return row and column of the t-th tile up to the diagonal, some rows at a time, column by column."""
    row, column = _triangle(t)
    first = row // GROUP * GROUP
    height = tl.minimum(rows - first, GROUP)
    within = t - first * (first + 1) // 2
    before = first * height  # tiles in the columns that all rows of the group have
    row_in, column_in = _triangle(tl.maximum(within - before, 0))
    row = tl.where(within < before, first + within % height, first + row_in)
    column = tl.where(within < before, within // height, first + column_in)
    return row, column


@triton.jit
def _any_tile(t, rows, columns, GROUP: tl.constexpr):
    """Return row and column of the t-th of all tiles, some rows at a time, column by column."""
    each = GROUP * columns
    first = t // each * GROUP
    height = tl.minimum(rows - first, GROUP)
    within = t % each
    return first + within % height, within // height


@triton.jit(do_not_specialize=["mirrors"])
def product_kernel(
    a,
    a_low,
    a_scale,
    b,
    b_low,
    b_scale,
    d,
    c,
    m,
    n,
    k,
    a_stack,
    a_row,
    a_column,
    b_stack,
    b_row,
    b_column,
    d_stack,
    d_row,
    d_column,
    c_stack,
    c_row,
    c_column,
    alpha,
    beta,
    mirrors,
    SYMMETRIC: tl.constexpr,
    TWO_PARTS: tl.constexpr,
    EVEN: tl.constexpr,
    SIDE: tl.constexpr,
    DEPTH: tl.constexpr,
    GROUP: tl.constexpr,
):
    """C = α A Bᵀ + β D of one tile of one matrix; A is m × k and B is n × k.

    In two parts, ``a_low`` and ``b_low`` are how far behind the high parts the low ones lie.
    """
    t = tl.program_id(0)
    rows = tl.cdiv(m, SIDE)
    columns = tl.cdiv(n, SIDE)
    if SYMMETRIC:
        tiles = rows * (rows + 1) // 2
        row, column = _lower_tile(t % tiles, rows, GROUP)
    else:
        tiles = rows * columns
        row, column = _any_tile(t % tiles, rows, columns, GROUP)
    matrix = t // tiles
    stack = matrix.to(tl.int64)
    i = row * SIDE + tl.arange(0, SIDE)  # within a matrix 32 bits suffice
    j = column * SIDE + tl.arange(0, SIDE)
    depth = tl.arange(0, DEPTH)
    # Rows beyond the last read the first again: their results are not stored.
    x_at = a + stack * a_stack + ((i % m)[:, None] * a_row + depth[None, :] * a_column)
    y_at = b + stack * b_stack + ((j % n)[None, :] * b_row + depth[:, None] * b_column)
    total = tl.zeros((SIDE, SIDE), dtype=tl.float32)
    for start in range(0, k, DEPTH):
        if EVEN:
            x = tl.load(x_at)
            y = tl.load(y_at)
        else:
            x = tl.load(x_at, mask=depth[None, :] < k - start, other=0.0)
            y = tl.load(y_at, mask=depth[:, None] < k - start, other=0.0)
        if TWO_PARTS:
            if EVEN:
                x_low = tl.load(x_at + a_low)
                y_low = tl.load(y_at + b_low)
            else:
                x_low = tl.load(x_at + a_low, mask=depth[None, :] < k - start, other=0.0)
                y_low = tl.load(y_at + b_low, mask=depth[:, None] < k - start, other=0.0)
            # Tensor cores cut off what they add to: a sum that grows in them loses some of its last place
            # with every addition. It is kept outside, and the small products go first.
            part = tl.dot(x_low, y)
            part = tl.dot(x, y_low, part)
            total += tl.dot(x, y, part)
        else:
            total = tl.dot(x, y, total)
        x_at += DEPTH * a_column
        y_at += DEPTH * b_column
    if TWO_PARTS:
        total = total / tl.load(a_scale + matrix) / tl.load(b_scale + matrix)
    total = total * alpha
    inside = (i < m)[:, None] & (j < n)[None, :]
    if beta != 0.0:
        added = d + stack * d_stack
        # Running products lie below the diagonal alone; what is in half precision is whole.
        if TWO_PARTS and SYMMETRIC and row == column:
            one, other = tl.maximum(i[:, None], j[None, :]), tl.minimum(i[:, None], j[None, :])
            total += beta * tl.load(added + (one * d_row + other * d_column), mask=inside).to(tl.float32)
        else:
            at = i[:, None] * d_row + j[None, :] * d_column
            total += beta * tl.load(added + at, mask=inside).to(tl.float32)
    found = total.to(c.dtype.element_ty)
    c_at = c + stack * c_stack
    tl.store(c_at + (i[:, None] * c_row + j[None, :] * c_column), found, mask=inside)
    if SYMMETRIC:  # noqa: SIM102 - decided when it is compiled
        if (mirrors != 0) & (row != column):
            mirrored = (j < n)[:, None] & (i < m)[None, :]
            tl.store(c_at + (j[:, None] * c_row + i[None, :] * c_column), tl.trans(found), mask=mirrored)


@triton.jit
def cut_kernel(
    x, scale, high, low, m, n, x_stack, x_row, x_column, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Cut one tile of one matrix: high + low = x s; the low part lies ``low`` behind the high one."""
    columns = tl.cdiv(n, COLUMNS)
    tiles = tl.cdiv(m, ROWS) * columns
    t = tl.program_id(0)
    matrix = t // tiles
    stack = matrix.to(tl.int64)
    i = (t % tiles) // columns * ROWS + tl.arange(0, ROWS)
    j = (t % tiles) % columns * COLUMNS + tl.arange(0, COLUMNS)
    inside = (i < m)[:, None] & (j < n)[None, :]
    x_at = i[:, None] * x_row + j[None, :] * x_column
    scaled = tl.load(x + stack * x_stack + x_at, mask=inside, other=0.0) * tl.load(scale + matrix)
    above = scaled.to(tl.float16)
    to = high + stack * m * n + (i[:, None] * n + j[None, :])
    tl.store(to, above, mask=inside)
    tl.store(to + low, (scaled - above.to(tl.float32)).to(tl.float16), mask=inside)


def multiply(
    a: Tensor | Cut,
    b: Tensor | Cut,
    d: Tensor | None,
    c: Tensor,
    alpha: float,
    beta: float,
    symmetric: bool,
    mirrors: bool,
    how: Tiling,
) -> None:
    """Launch C = α A Bᵀ + β D for a stack.

    Args:
        a: shape (k, m, n).
        b: shape (k, o, n).
        d: shape (k, m, o); where the result is symmetric of float32 only its lower triangle is read.
        c: where to; it may be ``d``.
        alpha: factor of the product.
        beta: factor of ``d``.
        symmetric: whether the result is: then only the lower triangle is computed.
        mirrors: whether the upper triangle is stored too.
        how: the tiles.
    """
    x, x_low, x_scale = (a.parts[0], a.parts.stride(0), a.scale) if isinstance(a, Cut) else (a, 0, None)
    y, y_low, y_scale = (b.parts[0], b.parts.stride(0), b.scale) if isinstance(b, Cut) else (b, 0, None)
    k, m, depth = x.shape
    n = y.shape[1]
    if not k * m * n:
        return
    if d is None:  # no kernel of its own for that: compiling one takes a second
        d, beta = c, 0.0
    rows, columns = -(-m // how.side), -(-n // how.side)
    tiles = rows * (rows + 1) // 2 if symmetric else rows * columns
    cast(Any, product_kernel)[(k * tiles,)](
        *(x, x_low, x_scale, y, y_low, y_scale, d, c, m, n, depth),
        *(*x.stride(), *y.stride(), *d.stride(), *c.stride()),
        *(alpha, beta, int(mirrors)),
        SYMMETRIC=symmetric,
        TWO_PARTS=isinstance(a, Cut),
        EVEN=depth % how.depth == 0,
        SIDE=how.side,
        DEPTH=how.depth,
        GROUP=GROUP,
        num_warps=how.warps,
        num_stages=how.stages,
        maxnreg=how.registers,
    )


def cut(x: Tensor, scale: Tensor, parts: Tensor) -> None:
    """Launch the cut of a stack (k, m, n) into parts (2, k, m, n)."""
    k, m, n = x.shape
    rows, columns = 64, 64  # read along rows or along columns; written along rows
    if x.numel():
        cast(Any, cut_kernel)[(k * -(-m // rows) * -(-n // columns),)](
            *(x, scale, parts, parts.stride(0), m, n, *x.stride()), ROWS=rows, COLUMNS=columns, num_warps=4
        )
