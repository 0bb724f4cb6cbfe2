"""The nearest orthogonal matrix, by Newton and Schulz's iteration.

With x = U S Vᵀ, the iteration ``x ← a x + b (x xᵀ) x + c (x xᵀ)² x`` takes every singular value s through
``s ← a s + b s³ + c s⁵``, and with Jordan's coefficients five rounds bring those between some 0.002 and 1
to between 0.68 and 1.13: nearly U Vᵀ, for the price of products of matrices alone.

Every round is a polynomial of the m × m matrix x xᵀ times x. So for a matrix that is longer than wide the
rounds are done on the small side: R = x xᵀ, then R and the product Q of the polynomials, and Q x once at the
end (the Gram form). In exact arithmetic that is the same; in bfloat16 the small singular values drown in
the roundings of R, so R is taken afresh after three rounds. ``docs/decisions.md`` has the figures.

On a GPU, where a symmetric product is computed up to its diagonal (:mod:`.products`), the small side is never
dearer, and all matrices with the same small side go together, long, wide or square.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from descend.methods import products

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
    return each_orthogonal([x], a, b, c, eps, steps, [scale])[0]


def each_orthogonal(
    xs: Sequence[Tensor], a: float, b: float, c: float, eps: float, steps: float, scales: Sequence[float]
) -> list[Tensor]:
    """Return :func:`orthogonal` of each matrix of a list; those of one shape (and scale) are stacked."""
    found: dict[int, Tensor] = {}
    families: dict[object, list[_Stack]] = {}
    for alike in _alike(xs, scales):
        stack = _stacked(xs, alike, scales[alike[0]], eps)
        y = stack.y
        if products.fast(y):
            families.setdefault((min(y.shape[-2:]), y.device), []).append(stack)
            continue
        if 0 not in y.shape:
            y = _rounds(y, a, b, c, int(steps), stack.scale)
        found.update(stack.apart(y))
    for stacks in families.values():
        for stack, y in zip(stacks, _family(stacks, a, b, c, int(steps)), strict=True):
            found.update(stack.apart(y))
    return [found[i] for i in range(len(xs))]


@dataclass(slots=True)
class _Stack:
    """Tensors of one shape, as one stack of matrices.

    Attributes:
        y: shape (k, m, n), of norm 1.
        index: which tensors they are.
        shape: of each.
        dtype: of each.
        scale: a factor of the result.
    """

    y: Tensor
    index: list[int]
    shape: torch.Size
    dtype: torch.dtype
    scale: float

    def apart(self, y: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Return the tensors of a stack by their places in the list."""
        whole = y.view(len(self.index), *self.shape).to(self.dtype)
        return zip(self.index, whole.unbind(), strict=True)


def _stacked(xs: Sequence[Tensor], index: list[int], scale: float, eps: float) -> _Stack:
    first = xs[index[0]]
    shape = first.shape
    y = torch.empty((len(index), *shape), dtype=_dtype(first.dtype, first.device), device=first.device)
    torch._foreach_copy_(list(y.unbind()), [xs[i] for i in index])
    y = y.view(len(index) * shape[:-2].numel(), *shape[-2:])
    if y.numel():
        y /= torch.linalg.vector_norm(y, dim=(-2, -1), keepdim=True).clamp_min(eps)
    return _Stack(y, index, shape, first.dtype, scale)


def _family(stacks: Sequence[_Stack], a: float, b: float, c: float, steps: int) -> list[Tensor]:
    """Run the rounds on stacks whose small sides have one length: all R and Q are one stack."""
    ys = [stack.y for stack in stacks]
    counts = [len(y) for y in ys]
    tall = [y.shape[-2] > y.shape[-1] for y in ys]
    side = min(ys[0].shape[-2:])
    gram = ys[0].new_empty(sum(counts), side, side)
    most = ROUNDS.get(gram.dtype, steps)
    while steps > 0:
        now = min(most, steps)
        steps -= now
        for y, r, stands in zip(ys, gram.split(counts), tall, strict=True):
            x = y.mT if stands else y
            products.symmetric(x, x, out=r)
        qs = _small_side(gram, a, b, c, now).split(counts)
        for i, (stack, y, q) in enumerate(zip(stacks, ys, qs, strict=True)):
            if steps == 0 and stack.scale != 1.0:
                q *= stack.scale
            dtype = stack.dtype if steps == 0 else y.dtype
            ys[i] = products.to(dtype, y, q) if tall[i] else products.to(dtype, q, y)
    return ys


def _alike(xs: Sequence[Tensor], scales: Sequence[float]) -> list[list[int]]:
    """Group tensors of one shape, dtype, device and scale."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (x, scale) in enumerate(zip(xs, scales, strict=True)):
        groups.setdefault((x.shape, x.dtype, x.device, scale), []).append(i)
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


def _rounds(y: Tensor, a: float, b: float, c: float, steps: int, scale: float) -> Tensor:
    """Run the rounds on a stack (k, m, n) of matrices of norm 1, which is overwritten."""
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
    added = _symmetric if products.fast(r) else _added
    q: Tensor | None = None
    while True:
        p = added(r, r, r, b, c)  # without its a: on the diagonal it would cost digits
        if q is None:
            q = p.clone()
            q.diagonal(dim1=-2, dim2=-1).add_(a)
        else:
            q = added(q, p, q, a)
        rounds -= 1
        if not rounds:
            return q
        t = added(r, p, r, a)
        r = added(t, t, p, a)


def _added(x: Tensor, y: Tensor, z: Tensor, beta: float, alpha: float = 1.0) -> Tensor:
    """Return β x + α y z."""
    return (torch.addmm if x.ndim == 2 else torch.baddbmm)(x, y, z, beta=beta, alpha=alpha)


def _symmetric(x: Tensor, y: Tensor, z: Tensor, beta: float, alpha: float = 1.0) -> Tensor:
    """Return the same of stacks of symmetric matrices that commute."""
    return products.symmetric(y, z, x, alpha, beta)


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
