"""PSGD: a preconditioner learned by descent of its own, on a Lie group."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods import products
from descend.methods.equations import absolute, exp, given, maximum, mean, minimum, sqrt, whole
from descend.methods.method import Method
from descend.methods.rule import elementwise, matrix, rule
from descend.methods.sides import each_along, each_unfolded

SAVING = (None, "smart_one_diag", "one_diag", "all_diag")
"""Which sides are diagonal: none, the longest where one is, the longest, all."""

DAMPING = torch.finfo(torch.float32).eps ** 0.5
"""How much of the probe enters the gradient that is whitened, so that no direction is without any."""


def _form(w: Tensor) -> str:
    return "matrix" if w.ndim > 1 else "vector"


def _flat(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the squarest matrix that a tensor can be taken as."""
    if len(shape) < 3:
        return tuple(shape) or (1,)
    shape = torch.Size(shape)
    one, other = (shape[:-1].numel(), shape[-1]), (shape[0], shape[1:].numel())
    return one if max(one) < max(other) else other


def _side(w: Tensor, k: int, longest: int, saving: str | None) -> tuple[int, ...]:
    """Return the shape of side k's factor: (n, n) if it is triangular, (n,) if it is diagonal."""
    m = _flat(w.shape)
    n, other = m[k], m[1 - k]
    last = n > other or (n == other and k == 1)
    diagonal = (
        n <= 1
        or n > longest
        or saving == "all_diag"
        or (saving == "one_diag" and last)
        or (saving == "smart_one_diag" and n > other)
    )
    return (n,) if diagonal else (n, n)


def unit(q: Tensor, scale: float) -> Tensor:
    """Return a factor's start: a multiple of the identity."""
    one = torch.eye(len(q), dtype=q.dtype, device=q.device) if q.ndim == 2 else torch.ones_like(q)
    return scale * one


def _each(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function of one, done once for a whole stack: its result is the same for all."""

    def once(x: Tensor, *args: Any) -> Tensor:
        return function(x[0], *args).expand_as(x).clone()

    return once


unit.stacked = _each(unit)  # type: ignore[attr-defined]


def probe(x: Tensor, step: float) -> Tensor:
    """Return numbers from N(0, 1), the same for the same shape, step and device."""
    seed = int(step) * 1_000_003 + sum(n * 31**k for k, n in enumerate(x.shape))
    generator = torch.Generator(x.device).manual_seed(seed % 2**63)
    return torch.randn(x.shape, generator=generator, device=x.device).to(x.dtype)


probe.stacked = _each(probe)  # type: ignore[attr-defined]


def _alone(stacked: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function of stacks as one of tensors, which carries it."""

    @wraps(stacked)
    def alone(*args: Any) -> Tensor:
        return stacked(*(a.unsqueeze(0) if isinstance(a, Tensor) else a for a in args)).squeeze(0)

    alone.stacked = stacked  # type: ignore[attr-defined]
    return alone


# From here on everything is written for stacks: x is (how many, shape of one), q (how many, n, n) or,
# where it is diagonal, (how many, n).
def _times(x: Tensor, k: int, q: Tensor) -> Tensor:
    """Multiply side k of x by a factor."""
    if q.ndim == 3:
        return each_along(x, k, q)
    return x * q.view([n if i in (0, k + 1) else 1 for i, n in enumerate(x.shape)])


def _flattened(x: Tensor) -> Tensor:
    return x.reshape(len(x), *_flat(x.shape[1:]))


@_alone
def whitened(x: Tensor, *qs: Tensor) -> Tensor:
    """Return Q₀ x Q₁ᵀ."""
    y = _flattened(x)
    for k, q in enumerate(qs):
        y = _times(y, k, q)
    return y.reshape(x.shape)


@_alone
def unwhitened(v: Tensor, *qs: Tensor) -> Tensor:
    """Return Q₀⁻ᵀ v Q₁⁻¹."""
    y = _flattened(v)
    for k, q in enumerate(qs):
        if q.ndim == 2:
            y = _times(y, k, 1 / q)
        elif k == 0:
            y = torch.linalg.solve_triangular(q.mT, y, upper=False)
        else:
            y = torch.linalg.solve_triangular(q, y, upper=True, left=False)
    return y.reshape(v.shape)


@_alone
def applied(x: Tensor, *qs: Tensor) -> Tensor:
    """Return the preconditioned x: Q₀ᵀQ₀ x Q₁ᵀQ₁."""
    y = _flattened(x)
    for k, q in enumerate(qs):
        y = _times(_times(y, k, q), k, q.mT) if q.ndim == 3 else _times(y, k, q * q)
    return y.reshape(x.shape)


def _size(x: Tensor) -> Tensor:
    """Return a lower bound of each symmetric matrix's spectral norm; of a vector, the largest number."""
    largest = x.abs().flatten(1).amax(1)
    if x.ndim == 2:
        return largest
    tiny = torch.finfo(x.dtype).tiny
    x = x / largest.clamp_min(tiny).view(-1, 1, 1)
    longest = x.square().sum(1).argmax(1).view(-1, 1, 1)
    row = torch.take_along_dim(x, longest, 2).mT @ x
    row = row / torch.linalg.vector_norm(row, dim=2, keepdim=True).clamp_min(tiny)
    return torch.linalg.vector_norm(row @ x, dim=(1, 2)) * largest


@_alone
def fitted(q: Tensor, a: Tensor, b: Tensor, rate: float, k: float) -> Tensor:
    """Return side k's factor after a step on its group, towards a₍ₖ₎a₍ₖ₎ᵀ = b₍ₖ₎b₍ₖ₎ᵀ."""
    if not q.numel():
        return q.clone()
    a, b = (each_unfolded(_flattened(x), int(k)) if x.ndim > 2 else x.reshape(len(x), -1, 1) for x in (a, b))
    if q.ndim == 3:
        aa, bb = products.symmetric(a, a), products.symmetric(b, b)
        step = products.product((aa - bb).triu(), q)
    else:
        aa, bb = a.square().sum(2), b.square().sum(2)
        step = (aa - bb) * q
    size = _size(aa + bb).clamp_min(torch.finfo(q.dtype).tiny)
    return q - rate * step / size.view(-1, *(1 for _ in q.shape[1:]))


@_alone
def balanced(q: Tensor, *qs: Tensor) -> Tensor:
    """Return q scaled so that the largest numbers of all factors are equal; their product stays as it is."""
    if not q.numel():
        return q.clone()
    largest = torch.stack([x.abs().flatten(1).amax(1) for x in qs])
    factor = largest.log().mean(0).exp() / q.abs().flatten(1).amax(1)
    return q * factor.view(-1, *(1 for _ in q.shape[1:]))


def updates(h: Any, step: Any) -> Any:
    """Return how often the preconditioner is updated up to a step: the integral of its probability."""
    if given(h.preconditioner_update_probability):
        return h.preconditioner_update_probability * step
    # 1 for 500 steps, then falling as exp(−t/1000) to 0.03.
    start, scale, least = 500.0, 1000.0, 0.03
    end = 4006.557897319983  # start − scale·ln(least)
    falling = minimum(maximum(step, start), end)
    return (
        minimum(step, start)
        + scale * (1 - exp((start - falling) / scale))
        + least * (maximum(step, end) - end)
    )


def _floor(x: Any) -> Any:
    return x - x % 1


@rule(
    form=_form,
    m=elementwise,
    q=matrix(lambda w: (w.numel(),)).in_float32().of("vector"),
    q0=matrix(lambda w, n, mode: _side(w, 0, n, mode), "max_size_triangular", "memory_save_mode")
    .in_float32()
    .of("matrix"),
    q1=matrix(lambda w, n, mode: _side(w, 1, n, mode), "max_size_triangular", "memory_save_mode")
    .in_float32()
    .of("matrix"),
)
def kron(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Whiten the mean gradient by factors that are fitted to it."""
    names = ("q",) if s.form == "vector" else ("q0", "q1")
    s.m = h.momentum * s.m + (1 - h.momentum) * g
    m = s.m / (1 - h.momentum**s.step)
    if s.step == 1:
        for k in names:
            setattr(s, k, whole(unit, getattr(s, k), h.precond_init_scale ** (1 / len(names))))
    count = _floor(updates(h, s.step))
    if count > _floor(updates(h, s.step - 1)):
        qs = [getattr(s, k) for k in names]
        if len(names) > 1 and count % 100 == 0:
            qs = [whole(balanced, q, *qs) for q in qs]
        x = m if h.momentum_into_precond_update else g
        v = whole(probe, x, s.step)
        a = whole(whitened, x + DAMPING * mean(absolute(x)) * v, *qs)
        b = whole(unwhitened, v, *qs)
        for i, k in enumerate(names):
            setattr(s, k, whole(fitted, qs[i], a, b, h.precond_lr, i))
    u = whole(applied, m, *[getattr(s, k) for k in names])
    u = u * minimum(1.1 / (sqrt(mean(u * u)) + 1e-12), 1.0)
    if h.weight_decay and s.form == "matrix":
        u = u + h.weight_decay * w
    return w - h.lr * u


class PSGDKron(Method):
    """PSGD Kron: the mean gradient whitened by a Kronecker product that is fitted by descent of its own.

    Equations for a matrix, in step t of this parameter::

        m ← μ m + (1 − μ) g          m̂ = m / (1 − μᵗ)
        a = Q₁ (m̂ + δ v) Q₂ᵀ         b = Q₁⁻ᵀ v Q₂⁻¹                  v from N(0, 1)
        Q₁ ← Q₁ − lr' · triu(a aᵀ − b bᵀ) Q₁ / ‖a aᵀ + b bᵀ‖          in ever fewer steps
        Q₂ ← Q₂ − lr' · triu(aᵀa − bᵀb) Q₂ / ‖aᵀa + bᵀb‖
        u = Q₁ᵀQ₁ m̂ Q₂ᵀQ₂            clipped to a root mean square of 1.1
        w ← w − lr (u + λ w)

    The Q are triangular, those of vectors and of sides that are too long diagonal. A tensor of higher order
    is taken as the squarest matrix.

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; a third of Adam's.
        momentum: μ in [0, 1).
        weight_decay: λ ≥ 0, decoupled, of matrices alone.
        preconditioner_update_probability: in (0, 1]: in which share of the steps the Q are updated; ``None``
            for all of the first 500, then falling exponentially to 0.03 in step 4007.
        max_size_triangular: a longer side has a diagonal Q.
        memory_save_mode: ``None``, ``smart_one_diag`` (the longer side is diagonal, if one is longer),
            ``one_diag`` or ``all_diag``.
        momentum_into_precond_update: whiten m̂; otherwise g.
        precond_lr: lr' in (0, 1): the share of the way that a Q goes.
        precond_init_scale: > 0: what Q₁ ⊗ Q₂ starts as, times the identity.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and 4 n² bytes for each triangular side of length n: 12 for a square
    matrix.

    Use it when: SOAP's two bases a matrix are too much memory, or its decompositions too slow on a GPU; tune
    ``lr`` anew.

    Source: Li 2015, arXiv:1512.04202; Li 2022, arXiv:2211.04422; in the form of the package ``kron_torch``
    (Walters, Pooladzandi & Li).

    Differs: the updates of Q come in steps that follow from the step count (their number is the integral of
    the probability), and v from the step count and the shape, so that resuming is exact; tensors of the same
    shape see the same v. Balancing, which changes nothing but rounding, is done in each hundredth update, not
    by chance. Of the two matrices that a tensor of higher order can be, the squarer is taken; the package's
    comparison lacks an absolute value. Its damping δ v also enters the step, being added in place; here not.

    Example:
        >>> import torch, descend
        >>> model = torch.nn.Linear(4, 3)
        >>> opt = descend.optimizer("psgdkron", model, lr=3e-4)
        >>> model(torch.randn(8, 4)).square().mean().backward()
        >>> opt.step()
        >>> opt.state[model.weight]["q1"].shape, opt.state[model.bias]["q"].shape
        (torch.Size([4, 4]), torch.Size([3]))
    """

    rule: ClassVar = kron
    equation: ClassVar = "w ← w − lr·Q₁ᵀQ₁m̂Q₂ᵀQ₂,  Q fitted to whiten m̂"
    choices: ClassVar = {"memory_save_mode": SAVING}
    ranges: ClassVar = {
        "preconditioner_update_probability": ("in (0, 1], or None", lambda x: 0 < x <= 1),
        "max_size_triangular": ("at least 0", lambda x: x >= 0),
        "precond_lr": ("in (0, 1)", lambda x: 0 < x < 1),
        "precond_init_scale": ("above 0", lambda x: x > 0),
    }

    lr: float = 3e-4
    momentum: float = 0.9
    weight_decay: float = 0.0
    preconditioner_update_probability: float | None = None
    max_size_triangular: int = 8192
    memory_save_mode: str | None = None
    momentum_into_precond_update: bool = True
    precond_lr: float = 0.1
    precond_init_scale: float = 1.0
