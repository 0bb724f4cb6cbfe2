"""Extreme eigenvalues of a symmetric matrix that is known by its products with vectors alone.

Lanczos's method grows an orthonormal basis of the vectors q, Aq, A²q, ... In it A is a small tridiagonal
matrix T, whose eigenvalues, the Ritz values, approach those of A at both ends first. Two forms stand here:

- **With the basis kept** (:class:`_Kept`): every new vector is made orthogonal to all before it, and a basis
  that is full is replaced by its best directions (thick restart). Multiple eigenvalues are found with their
  copies, and eigenvectors come with them.
- **In two vectors** (:class:`Recurrence`): the basis is forgotten. In floating point it then loses its
  orthogonality as soon as an eigenvalue has been found, which is found again and again. The copies are
  merged, and what is still on its way is told by its weight: the starting vector has no share in it. The
  values are as good, a multiple eigenvalue counts once, and there are no eigenvectors.

Sources: Lanczos 1950, An iteration method for the solution of the eigenvalue problem, J. Res. NBS 45; Paige
1980, Accuracy and effectiveness of the Lanczos algorithm, Linear Algebra Appl. 34; Cullum & Willoughby 1985,
Lanczos algorithms for large symmetric eigenvalue computations; Wu & Simon 2000, Thick-restart Lanczos method,
SIAM J. Matrix Anal. Appl. 22(2).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from descend.errors import DataError, UsageError, nearest

ROOM = 96 * 2**20
"""Bytes that vectors may take where nobody says otherwise: two of ten million float32 numbers each."""

FEWEST = 2
"""Vectors that every method here may hold, however long they are."""

ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "largest": lambda values: values,
    "smallest": lambda values: -values,
    "magnitude": lambda values: values.abs(),
}
"""Which eigenvalues come first, by name: those where this is largest."""


class Symmetric(Protocol):
    """A symmetric matrix (n, n): a tensor, or whatever multiplies a vector (n,) and returns a new one."""

    @property
    def shape(self) -> Sequence[int]: ...  # noqa: D102

    @property
    def dtype(self) -> torch.dtype: ...  # noqa: D102

    @property
    def device(self) -> torch.device: ...  # noqa: D102

    def __matmul__(self, vector: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class Eigenvalues:
    """Some eigenvalues, in the order that was asked for.

    Attributes:
        values: of shape (k,), float64; fewer than k where more could not be told apart.
        residuals: ‖A y − θ y‖ for each, of shape (k,): some eigenvalue lies within this distance.
        vectors: orthonormal, of shape (n, k), or ``None`` where they were not asked for.
        products: of A with a vector, that it took.
        converged: whether each residual is within the tolerance.
    """

    values: Tensor
    residuals: Tensor
    vectors: Tensor | None
    products: int
    converged: bool


def size_of(operator: Symmetric) -> int:
    """Return n of an (n, n) operator.

    Raises:
        UsageError: where it is not square.
    """
    shape = tuple(operator.shape)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise UsageError("a square, symmetric matrix", f"shape {shape}", "give one of shape (n, n)")
    return shape[0]


def room_for(operator: Symmetric, memory: int | None) -> int:
    """Return how many vectors may be held: the one that is multiplied counts, its product does not.

    Args:
        operator: it tells how long they are.
        memory: as many; ``None`` takes what :data:`ROOM` holds, and :data:`FEWEST` at the least.

    Raises:
        UsageError: where ``memory`` is less than :data:`FEWEST`.
    """
    if memory is None:
        each = size_of(operator) * torch.empty((), dtype=operator.dtype).element_size()
        return max(FEWEST, ROOM // each)
    if memory < FEWEST:
        raise UsageError(f"memory for at least {FEWEST} vectors", str(memory), "raise memory")
    return memory


def finite(x: float) -> float:
    """Return a number made of products, if it is one.

    Raises:
        DataError: where it is NaN or infinite.
    """
    if not math.isfinite(x):
        raise DataError(
            "finite products with vectors",
            str(x),
            "look at the loss and its gradient where they are taken",
        )
    return x


def generator_for(operator: Symmetric, seed: int) -> torch.Generator:
    """Return a generator of random vectors for an operator, where it computes."""
    return torch.Generator(operator.device).manual_seed(seed)


def random_direction(operator: Symmetric, generator: torch.Generator) -> Tensor:
    """Return a unit vector (n,), all directions alike."""
    v = torch.randn(size_of(operator), dtype=operator.dtype, device=operator.device, generator=generator)
    return v.div_(torch.linalg.vector_norm(v))


def make_orthogonal(v: Tensor, basis: Tensor) -> Tensor:
    """Take from a vector, in place, what lies along an orthonormal basis.

    Args:
        v: of shape (n,).
        basis: its rows, of shape (m, n).

    Returns:
        Its coefficients along the basis, of shape (m,). Once is not enough where little is left over
        (Giraud, Langou & Rozložník 2005); twice is.
    """
    along = basis @ v
    v.addmv_(basis.T, along, alpha=-1)
    again = basis @ v
    v.addmv_(basis.T, again, alpha=-1)
    return along.add_(again)


class Recurrence:
    """Lanczos's recurrence in two vectors beside the product: q, and the one before it.

    Args:
        operator: the matrix A.
        start: a unit vector, of shape (n,); it is taken over.

    Attributes:
        diagonal: of T: α₁, α₂, ...
        beside: of T, and the norm of what is left over at the end: β₁, β₂, ...
        exhausted: whether nothing is left over: the Ritz values are eigenvalues.
    """

    def __init__(self, operator: Symmetric, start: Tensor):
        self.operator, self._q, self._before = operator, start, None
        self.diagonal: list[float] = []
        self.beside: list[float] = []
        self.exhausted = False
        self._least = 0.0

    def step(self) -> None:
        """Make one product, and T larger by one."""
        w = self.operator @ self._q
        if self._before is not None:
            w.sub_(self._before, alpha=self.beside[-1])
        self.diagonal.append(finite(float(self._q @ w)))  # after the subtraction (Paige 1972)
        w.sub_(self._q, alpha=self.diagonal[-1])
        self.beside.append(finite(float(torch.linalg.vector_norm(w))))
        scale = abs(self.diagonal[-1]) + sum(self.beside[-2:])
        self._least = max(self._least, 10 * torch.finfo(w.dtype).eps * scale)
        if self.beside[-1] <= self._least:
            self.exhausted = True
        else:
            self._before, self._q = self._q, w.div_(self.beside[-1])

    def ritz(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the Ritz values in ascending order, their weights in the start, and their residuals.

        The weight of a value is the squared share that its vector has in the starting vector. The weights
        sum to 1, and Σ weightᵢ f(θᵢ) is Gauss's quadrature of startᵀ f(A) start.
        """
        t = torch.diag(torch.tensor(self.diagonal, dtype=torch.float64))
        if len(self.beside) > 1:
            beside = torch.tensor(self.beside[:-1], dtype=torch.float64)
            t += beside.diag(1) + beside.diag(-1)
        values, vectors = torch.linalg.eigh(t)
        return values, vectors[0].square(), (self.beside[-1] * vectors[-1]).abs()


def eigenvalues(
    operator: Symmetric,
    k: int = 5,
    which: str = "largest",
    *,
    vectors: bool = False,
    tolerance: float = 1e-4,
    budget: int = 300,
    memory: int | None = None,
    seed: int = 0,
) -> Eigenvalues:
    """Return k extreme eigenvalues of a symmetric matrix.

    Args:
        operator: the matrix, of shape (n, n).
        k: how many, 1 to n.
        which: largest, smallest, or (largest by) magnitude.
        vectors: whether eigenvectors are wanted as well.
        tolerance: the residual at which a value counts as found, relative to the largest by magnitude. An
            eigenvalue's error is at most its residual, and about residual² / gap where a gap separates it.
        budget: the most products to make.
        memory: how many vectors may be held, the one that is multiplied among them; by default as many as
            96 MiB hold. Where 2 k + 15 do not fit, and no eigenvectors are wanted, two serve, and eigenvalues
            within the tolerance of each other may count once.
        seed: of the starting vector.

    Returns:
        The eigenvalues; ``converged`` is false where the budget ended before.

    Raises:
        UsageError: where a number is out of its range, or the memory does not hold the eigenvectors.
        DataError: where a product is not finite.

    Example:
        >>> found = eigenvalues(torch.diag(torch.arange(100.0)), k=2)
        >>> [round(v, 2) for v in found.values.tolist()], found.converged
        ([99.0, 98.0], True)
    """
    n = size_of(operator)
    if not 1 <= k <= n:
        raise UsageError(f"k from 1 to {n}", str(k), "change k")
    if which not in ORDERS:
        raise UsageError("largest, smallest or magnitude", repr(which), nearest(which, list(ORDERS)))
    if budget < 1 or not tolerance > 0:
        raise UsageError(
            "a positive budget and tolerance", f"budget={budget}, tolerance={tolerance}", "raise them"
        )
    room, best = room_for(operator, memory), min(n, 2 * k + 15)
    if memory is None and vectors:  # whoever asks for k vectors has room for them
        room = max(room, k + 6)
    if vectors and room < min(n, k + 3):
        raise UsageError(f"memory for at least {k + 3} vectors", str(room), "raise memory, or ask for fewer")
    if not vectors and room < best:
        return _in_two_vectors(operator, k, ORDERS[which], tolerance, budget, seed)
    return _Kept(operator, k, ORDERS[which], min(room, best), seed).found(vectors, tolerance, budget)


def _in_two_vectors(
    operator: Symmetric, k: int, order: Callable[[Tensor], Tensor], tolerance: float, budget: int, seed: int
) -> Eigenvalues:
    recurrence = Recurrence(operator, random_direction(operator, generator_for(operator, seed)))
    eps = torch.finfo(operator.dtype).eps
    while True:
        recurrence.step()
        products = len(recurrence.diagonal)
        ended = recurrence.exhausted or products == budget
        if not ended and (products < k or products % 5):
            continue
        values, residuals, allowed = distinct(*recurrence.ritz(), eps, tolerance)
        chosen = order(values).argsort(descending=True)[:k]
        converged = len(chosen) == k and bool((residuals[chosen] <= allowed).all())
        if converged or ended:
            return Eigenvalues(values[chosen], residuals[chosen], None, products, converged)


def distinct(
    values: Tensor, weights: Tensor, residuals: Tensor, eps: float, tolerance: float
) -> tuple[Tensor, Tensor, float]:
    """Return each Ritz value once, of a basis that has lost its orthogonality.

    Args:
        values: Ritz values, of shape (m,).
        weights: of each in the starting vector.
        residuals: of each.
        eps: the rounding of the basis.
        tolerance: the residual at which a value counts as found, relative to the largest by magnitude.

    Returns:
        The values that stand for themselves, their residuals, and the residual that is allowed.
    """
    scale = float(values.abs().max())
    allowed = tolerance * scale
    apart = (values[:, None] - values).abs()
    close = apart <= eps ** (2 / 3) * scale
    # A copy that has been found lies within its own residual of the eigenvalue, and weighs less.
    found = (apart <= residuals[:, None]) & (residuals[:, None] <= allowed)
    copy = ((close | found) & (weights > weights[:, None])).any(1)
    # One that is on its way may be anywhere yet; it grew from rounding, not from the start.
    own = ~copy & (weights > (10 * eps) ** 2)
    return values[own], torch.where(close, residuals, math.inf).amin(1)[own], allowed


class _Kept:
    """A basis that is kept orthonormal, of at most ``rows`` vectors, and T = Q A Qᵀ in it."""

    def __init__(self, operator: Symmetric, k: int, order: Callable[[Tensor], Tensor], rows: int, seed: int):
        self.operator, self.k, self.order, self.rows, self.n = operator, k, order, rows, size_of(operator)
        self.generator = generator_for(operator, seed)
        self.basis = torch.empty(rows, self.n, dtype=operator.dtype, device=operator.device)
        self.t = torch.zeros(rows, rows, dtype=torch.float64)
        self.products = 0

    def found(self, vectors: bool, tolerance: float, budget: int) -> Eigenvalues:
        """Go round until the values stand, or the budget is spent."""
        kept, left = 0, random_direction(self.operator, self.generator)
        standing: Tensor | None = None
        neglected = 0.0
        while True:
            size, left, beta = self._fill(kept, left, budget)
            values, within = torch.linalg.eigh(self.t[:size, :size])
            best = self.order(values).argsort(descending=True)
            chosen = best[: self.k]
            residuals = (beta * within[-1, chosen]).abs()
            allowed = tolerance * float(values.abs().max())
            converged = len(chosen) == self.k and bool((residuals <= allowed).all())
            stands = standing is not None and bool(((values[chosen] - standing).abs() <= allowed).all())
            if size == self.n or self.products == budget or (converged and stands):
                if vectors:
                    self._turn(within[:, chosen])
                residuals = residuals.square().add(neglected**2).sqrt()
                kept_vectors = self.basis[: len(chosen)].T if vectors else None
                return Eigenvalues(values[chosen], residuals, kept_vectors, self.products, converged)
            # While values are sought, the runners-up come along: they hasten what is next (Wu & Simon).
            kept = self.k if converged else min(self.k + (self.rows - self.k) // 2, self.rows - 1, size)
            self._turn(within[:, best[:kept]])
            self.t.zero_()
            self.t.diagonal()[:kept] = values[best[:kept]]
            standing = None
            if converged:
                # The space of one starting vector holds one direction for a multiple eigenvalue. Another
                # start, orthogonal to all that is kept, brings its copies to light. What was left over is
                # lost with that, so that nothing comes along that has not converged.
                standing, neglected = values[chosen], math.hypot(neglected, float(residuals.norm()))
                left = random_direction(self.operator, self.generator)

    def _fill(self, kept: int, left: Tensor, budget: int) -> tuple[int, Tensor, float]:
        """Add vectors behind those kept, beginning with what was left over, until basis or budget end.

        Returns:
            The vectors that A was multiplied with, and what is left over, with its norm.
        """
        beta = 0.0
        for j in range(kept, self.rows):
            self.basis[j] = self._direction(left, j)
            left = self.operator @ self.basis[j]
            self.products += 1
            size = finite(float(torch.linalg.vector_norm(left)))
            along = make_orthogonal(left, self.basis[: j + 1]).double().cpu()
            self.t[: j + 1, j] = self.t[j, : j + 1] = along
            beta = float(torch.linalg.vector_norm(left))
            if beta <= 10 * torch.finfo(left.dtype).eps * size:
                beta = 0.0
                left.zero_()
            if self.products == budget:
                return j + 1, left, beta
        return self.rows, left, beta

    def _direction(self, v: Tensor, j: int) -> Tensor:
        """Return v as a unit vector orthogonal to the first j; where it is zero, a random one."""
        if not v.any():
            v = random_direction(self.operator, self.generator)
        make_orthogonal(v, self.basis[:j])
        return v.div_(torch.linalg.vector_norm(v))

    def _turn(self, within: Tensor) -> None:
        """Replace the first vectors by combinations (size, m) of them, in place."""
        size, m = within.shape
        turn = within.T.to(self.basis)
        for part in self.basis.split(2**16, dim=1):
            part[:m] = turn @ part[:size]
