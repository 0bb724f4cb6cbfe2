"""The nearest orthogonal matrix, by Newton and Schulz's iteration.

With x = U S Vᵀ, the iteration ``x ← a x + b (x xᵀ) x + c (x xᵀ)² x`` takes every singular value s through
``s ← a s + b s³ + c s⁵``, and with Jordan's coefficients five rounds bring those between some 0.002 and 1
to between 0.68 and 1.13: nearly U Vᵀ, for the price of products of matrices alone.

Every round is a polynomial of the m × m matrix x xᵀ times x. So for a matrix that is longer than wide the
rounds are done on the small side: R = x xᵀ, then R and the product Q of the polynomials, and Q x once at the
end (the Gram form). In exact arithmetic that is the same; in bfloat16 the small singular values drown in
the roundings of R, so R is taken afresh after three rounds. ``docs/decisions.md`` has the figures.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

ROUNDS = {torch.bfloat16: 3, torch.float16: 3}
"""Rounds in the Gram form before R is taken afresh; dtypes with more digits need no fresh start."""

STRIP = 96
"""The least rows of a strip that a symmetric product on a CPU is computed in."""

ALONE = 128
"""The least side from which a CPU takes the matrices of a stack one by one."""


def orthogonal(
    x: Tensor, a: float, b: float, c: float, eps: float, steps: float, scale: float = 1.0
) -> Tensor:
    """Return U Vᵀ, nearly, of a matrix x = U S Vᵀ, or of each in a stack.

    Args:
        x: shape (..., m, n).
        a: coefficient of x.
        b: coefficient of (x xᵀ) x.
        c: coefficient of (x xᵀ)² x.
        eps: the least norm that x is divided by.
        steps: rounds.
        scale: a factor of the result.

    Returns:
        A new tensor of the same shape and dtype.
    """
    stack = x.reshape(x.shape[:-2].numel(), *x.shape[-2:])
    y = torch.empty(stack.shape, dtype=_dtype(x.dtype, x.device), device=x.device)
    y.copy_(stack)
    return _rounds(y, a, b, c, eps, int(steps), scale).view(x.shape).to(x.dtype)


def each_orthogonal(
    xs: Sequence[Tensor], a: float, b: float, c: float, eps: float, steps: float, scales: Sequence[float]
) -> list[Tensor]:
    """Return :func:`orthogonal` of each matrix of a list; those of one shape (and scale) are stacked."""
    found: dict[int, Tensor] = {}
    for alike in _alike(xs):
        first = xs[alike[0]]
        shape, dtype = first.shape, _dtype(first.dtype, first.device)
        y = torch.empty((len(alike), *shape), dtype=dtype, device=first.device)
        torch._foreach_copy_(list(y.unbind()), [xs[i] for i in alike])
        stack = y.view(len(alike) * shape[:-2].numel(), *shape[-2:])
        y = _rounds(stack, a, b, c, eps, int(steps), scales[alike[0]]).view(len(alike), *shape)
        found.update(zip(alike, y.to(first.dtype).unbind(), strict=True))
    return [found[i] for i in range(len(xs))]


def _alike(xs: Sequence[Tensor]) -> list[list[int]]:
    """Group tensors of one shape, dtype and device."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, x in enumerate(xs):
        groups.setdefault((x.shape, x.dtype, x.device), []).append(i)
    return list(groups.values())


@cache
def _dtype(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype in which the rounds are computed.

    Jordan showed bfloat16 to be enough; it is taken where products of matrices are faster in it.
    """
    if dtype == torch.float64:
        return dtype
    if device.type != "cpu":
        return torch.bfloat16
    fast = torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


def _rounds(y: Tensor, a: float, b: float, c: float, eps: float, steps: int, scale: float) -> Tensor:
    """Run the rounds on a stack (k, m, n), which is overwritten."""
    if 0 in y.shape:
        return y
    y /= torch.linalg.vector_norm(y, dim=(-2, -1), keepdim=True).clamp_min(eps)
    if not y.is_cpu or min(y.shape[-2:]) < ALONE:
        return _iterated(y, a, b, c, steps, scale)
    for one in y:  # products of large matrices are faster on a CPU than stacks of them
        one.copy_(_iterated(one, a, b, c, steps, scale))
    return y


def _iterated(y: Tensor, a: float, b: float, c: float, steps: int, scale: float) -> Tensor:
    """Run the rounds on a matrix, or on a stack of matrices, whose singular values are at most 1."""
    m, n = y.shape[-2:]
    tall = m > n
    most = ROUNDS.get(y.dtype, steps)
    if 2 * min(m, n) > max(m, n):
        most = 1  # squarish: nothing to gain on the small side
    while steps > 0:
        now = min(most, steps)
        steps -= now
        f = scale if steps == 0 else 1.0
        gram = _gram(y.mT if tall else y)
        if now == 1:
            p = _added(gram, gram, gram, b, c)
            y = _added(y, *((y, p) if tall else (p, y)), f * a, f)
            continue
        q = _small_side(gram, a, b, c, now)
        if f != 1.0:
            q *= f
        y = y @ q if tall else q @ y
    return y


def _small_side(r: Tensor, a: float, b: float, c: float, rounds: int) -> Tensor:
    """Return the product of the polynomials of some rounds, from R = x xᵀ."""
    q: Tensor | None = None
    while True:
        p = _added(r, r, r, b, c)  # without its a: on the diagonal it would cost digits
        if q is None:
            q = p.clone()
            q.diagonal(dim1=-2, dim2=-1).add_(a)
        else:
            q = _added(q, p, q, a)
        rounds -= 1
        if not rounds:
            return q
        t = _added(r, p, r, a)
        r = _added(t, t, p, a)


def _added(x: Tensor, y: Tensor, z: Tensor, beta: float, alpha: float = 1.0) -> Tensor:
    """Return β x + α y z."""
    return (torch.addmm if x.ndim == 2 else torch.baddbmm)(x, y, z, beta=beta, alpha=alpha)


def _gram(y: Tensor) -> Tensor:
    """Return y yᵀ; a large one on a CPU in horizontal strips up to the diagonal, and mirrored."""
    m = y.shape[-2]
    strips = min(4, m // STRIP)
    if y.ndim > 2 or strips < 2 or not y.is_cpu:
        return y @ y.mT
    found = y.new_empty(m, m)
    for i in range(strips):
        first, last = i * m // strips, (i + 1) * m // strips
        strip = y[first:last] @ y[:last].mT
        found[first:last, :last] = strip
        if first:
            found[:first, first:last] = strip[:, :first].mT
    return found
