"""Trace, diagonal and density of eigenvalues of a symmetric matrix, estimated from its products with vectors.

Each estimate says how many products it took and how far off it may be: its standard error, from the spread
of the random draws that it is a mean of. Where the budget reaches n products, trace and diagonal are exact.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.functions.lanczos import (
    Recurrence,
    Symmetric,
    finite,
    generator_for,
    make_orthogonal,
    random_direction,
    room_for,
    size_of,
)

Value = TypeVar("Value", float, Tensor)


@dataclass(frozen=True)
class Estimate(Generic[Value]):
    """What a few products tell of a matrix.

    Attributes:
        value: the estimate; its mean over seeds is the truth.
        error: its standard error, of the same shape; 0 where the value is exact, infinite where one draw
            alone does not tell.
        products: of the matrix with a vector, that it took.
    """

    value: Value
    error: Value
    products: int


@dataclass(frozen=True)
class Density:
    """How the eigenvalues of a matrix are spread: Σᵢ N(grid; λᵢ, width²) / n.

    Attributes:
        grid: where it is told, in ascending order, float64, of shape (points,).
        values: the density there; its integral is 1.
        error: the standard error of each value; infinite with one probe.
        width: the standard deviation of the normal curve that each eigenvalue is drawn as.
        nodes: Ritz values, of shape (probes, steps): the quadrature behind it.
        weights: of the nodes; each row sums to 1.
        products: of the matrix with a vector, that it took.
    """

    grid: Tensor
    values: Tensor
    error: Tensor
    width: float
    nodes: Tensor
    weights: Tensor
    products: int

    def mean(self, f: Callable[[Tensor], Tensor]) -> Estimate[float]:
        """Return the mean of f(λ) over all eigenvalues: tr f(A) / n.

        Args:
            f: taken of each element of a tensor. The smoother it is, the fewer steps it needs: polynomials
                of a degree below twice the steps have no error but that of the draws.
        """
        value, error = _mean_and_error((self.weights * f(self.nodes)).sum(1))
        return Estimate(float(value), float(error), self.products)


def trace(
    operator: Symmetric, budget: int = 99, *, memory: int | None = None, seed: int = 0
) -> Estimate[float]:
    """Return the trace of a symmetric matrix by Hutch++.

    A third of the products finds the directions Q in which the matrix is largest, a third measures its trace
    there, and a third (Hutchinson 1989) estimates what is left, xᵀ (I − QQᵀ) A (I − QQᵀ) x for vectors x of
    random signs. Where few eigenvalues make up most of the trace, as in networks, the error falls like
    1 / products instead of Hutchinson's 1 / √products.

    Args:
        operator: the matrix, of shape (n, n).
        budget: products to make; n of them are exact, and no more are made.
        memory: how many vectors may be held, the one that is multiplied among them; by default as many as
            96 MiB hold. Q has at most one less, and what it cannot use goes to Hutchinson's part.
        seed: of the random draws.

    Raises:
        UsageError: where the budget is not positive, or the memory too small.
        DataError: where a product is not finite.

    Source: Meyer, Musco, Musco & Woodruff 2021, arXiv:2010.09649.

    Example:
        >>> a = torch.diag(1 / torch.arange(1.0, 1001) ** 2)
        >>> found = trace(a, budget=60)
        >>> abs(found.value - float(a.trace())) < 4 * found.error < 0.01
        True
    """
    n, room = _checked(operator, budget), room_for(operator, memory)
    if budget >= n:
        return Estimate(finite(sum(float(a[i]) for i, a in enumerate(_columns(operator)))), 0.0, n)
    generator = generator_for(operator, seed)
    most = min(budget // 3, room - 1)  # beside a random vector
    basis = _largest_directions(operator, most, generator)
    inside = 0.0
    for q in basis:
        inside += finite(float(q @ (operator @ q)))
    draws: list[float] = []
    for _ in range(budget - most - len(basis)):
        x = _signs(operator, generator)
        make_orthogonal(x, basis)
        draws.append(finite(float(x @ (operator @ x))))
        del x
    outside, error = _mean_and_error(torch.tensor(draws, dtype=torch.float64))
    return Estimate(inside + float(outside), float(error), budget)


def diagonal(
    operator: Symmetric, budget: int = 99, *, memory: int | None = None, seed: int = 0
) -> Estimate[Tensor]:
    """Return the diagonal of a symmetric matrix, in the same three parts as :func:`trace`.

    With P = I − QQᵀ it is the diagonal of QQᵀA + P A QQᵀ, and the mean of x ⊙ P A P x over vectors x of
    random signs. The variance of entry i of the latter is Σⱼ (P A P)ᵢⱼ² over j ≠ i, divided by the draws.

    Args:
        operator: the matrix, of shape (n, n).
        budget: products to make; n of them are exact, and no more are made.
        memory: how many vectors may be held, the one that is multiplied among them; by default as many as
            96 MiB hold. The mean, the sum of squares around it, and x are needed, whatever is said; Q has
            what is left, but for one.
        seed: of the random draws.

    Returns:
        Value and error of shape (n,).

    Raises:
        UsageError: where the budget is not positive, or the memory too small.
        DataError: where a product is not finite.

    Sources: Bekas, Kokiopoulou & Saad 2007, An estimator for the diagonal of a matrix, Appl. Numer. Math. 57;
    Baston & Nakatsukasa 2022, arXiv:2201.10684.
    """
    n, room = _checked(operator, budget), room_for(operator, memory)
    mean = torch.zeros(n, dtype=operator.dtype, device=operator.device)
    if budget >= n:
        for i, a in enumerate(_columns(operator)):
            mean[i] = a[i]
        finite(float(mean.sum()))
        return Estimate(mean, torch.zeros_like(mean), n)
    generator = generator_for(operator, seed)
    most = min(budget // 3, max(0, room - 4))
    basis = _largest_directions(operator, most, generator)
    draws = budget - most - len(basis)
    squares = torch.zeros_like(mean)
    for i in range(1, draws + 1):
        x = _signs(operator, generator)
        kept = x.clone() if len(basis) else x  # the signs of all of x, and what is left of it
        make_orthogonal(x, basis)
        off = operator @ x
        make_orthogonal(off, basis)
        off.mul_(kept).sub_(mean)
        mean.add_(off, alpha=1 / i)
        squares.addcmul_(off, off, value=(i - 1) / i)  # Welford's: (new − old mean) · (new − new mean)
        del x, kept, off  # before the next are made
    for q in basis:
        a = operator @ q
        mean.addcmul_(q, a)
        make_orthogonal(a, basis)
        mean.addcmul_(q, a)
        del a
    finite(float(mean.sum()))
    if draws == 1:
        return Estimate(mean, squares.fill_(math.inf), budget)
    return Estimate(mean, squares.div_((draws - 1) * draws).sqrt_(), budget)


def density(
    operator: Symmetric,
    steps: int = 40,
    probes: int = 5,
    *,
    points: int = 256,
    width: float | None = None,
    seed: int = 0,
) -> Density:
    """Return the density of a symmetric matrix's eigenvalues by stochastic Lanczos quadrature.

    From a random unit vector, Lanczos's recurrence finds nodes and weights whose sum Σ weight · f(node) is
    near the mean of f over all eigenvalues. It holds two vectors: that their orthogonality is lost does not
    harm the quadrature (Knizhnerman 1996).

    Two errors add. That of the draws is ``error``; between probes it falls like 1/√probes, and like 1/√n in
    the size of the matrix. That of the quadrature, for a normal curve of the default width, is below 1e-3 of
    its height from ten steps on: on a spectrum of length L a curve of width σ is a polynomial of degree d
    but for e^(−2 (d σ / L)²), and the quadrature is exact for d = 2 steps − 1.

    Args:
        operator: the matrix, of shape (n, n).
        steps: products a probe; at most n are made.
        probes: random starting vectors.
        points: of the grid, which reaches three widths beyond the outermost nodes.
        width: the standard deviation of the curve that stands for an eigenvalue; by default the length of
            the spectrum / steps. A smaller one shows what the quadrature cannot tell.
        seed: of the random draws.

    Raises:
        UsageError: where a number is out of its range.
        DataError: where a product is not finite.

    Sources: Golub & Welsch 1969; Lin, Saad & Yang 2016, arXiv:1308.5467; Ghorbani, Krishnan & Xiao 2019,
    arXiv:1901.10159; Chen, Trogdon & Ubaru 2021, arXiv:2105.06595.

    Example:
        >>> found = density(torch.diag(torch.arange(100.0)))
        >>> round(float(found.values.sum() * found.grid.diff()[0]), 2), round(found.width, 1)
        (1.0, 2.5)
    """
    n = size_of(operator)
    if min(steps, probes, points - 1) < 1 or (width is not None and not width > 0):
        raise UsageError(
            "positive steps, probes and width, and at least 2 points",
            f"steps={steps}, probes={probes}, points={points}, width={width}",
            "raise them",
        )
    generator, products = generator_for(operator, seed), 0
    nodes = torch.zeros(probes, min(steps, n), dtype=torch.float64)
    weights = torch.zeros_like(nodes)
    for i in range(probes):
        recurrence = Recurrence(operator, random_direction(operator, generator))
        while len(recurrence.diagonal) < nodes.shape[1] and not recurrence.exhausted:
            recurrence.step()
        values, weight, _ = recurrence.ritz()
        products += len(values)
        # Where fewer nodes say it all, the last stands for the rest, with no weight.
        nodes[i] = values[-1]
        nodes[i, : len(values)], weights[i, : len(values)] = values, weight
    low, high = float(nodes.min()), float(nodes.max())
    if width is None:
        width = (high - low) / steps
        if width <= 1e-9 * max(abs(low), abs(high)):  # one value, but for rounding
            width = 1e-3 * abs(high) or 1e-3
    grid = torch.linspace(low - 3 * width, high + 3 * width, points, dtype=torch.float64)
    each = torch.zeros(probes, points, dtype=torch.float64)
    for i in range(probes):
        away = (grid - nodes[i, :, None]) / width
        each[i] = weights[i] @ away.square().mul_(-0.5).exp_() / (width * math.sqrt(2 * math.pi))
    value, error = _mean_and_error(each)
    return Density(grid, value, error, width, nodes, weights, products)


def _checked(operator: Symmetric, budget: int) -> int:
    if budget < 1:
        raise UsageError("a budget of at least one product", str(budget), "raise budget")
    return size_of(operator)


def _largest_directions(operator: Symmetric, most: int, generator: torch.Generator) -> Tensor:
    """Return an orthonormal basis, in rows, of A times ``most`` random vectors."""
    basis = torch.empty(most, size_of(operator), dtype=operator.dtype, device=operator.device)
    found = 0
    for _ in range(most):
        v = operator @ _signs(operator, generator)
        size = finite(float(torch.linalg.vector_norm(v)))
        make_orthogonal(v, basis[:found])
        rest = float(torch.linalg.vector_norm(v))
        if rest > 1e3 * torch.finfo(v.dtype).eps * size:  # else the matrix has no direction but those found
            basis[found] = v.div_(rest)
            found += 1
        del v  # before the next is made
    return basis[:found]


def _signs(operator: Symmetric, generator: torch.Generator) -> Tensor:
    """Return a vector (n,) of random signs."""
    v = torch.empty(size_of(operator), dtype=operator.dtype, device=operator.device)
    return v.random_(0, 2, generator=generator).mul_(2).sub_(1)


def _columns(operator: Symmetric) -> Iterator[Tensor]:
    """Go through a matrix column by column."""
    unit = torch.zeros(size_of(operator), dtype=operator.dtype, device=operator.device)
    for i in range(len(unit)):
        unit[i] = 1
        yield operator @ unit
        unit[i] = 0


def _mean_and_error(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean over the first dimension, and its standard error: infinite for one draw."""
    mean = draws.mean(0)
    if len(draws) == 1:
        return mean, torch.full_like(mean, math.inf)
    return mean, draws.std(0) / math.sqrt(len(draws))
