"""Steps of equal strength in every direction: matrices are descended by their nearest orthogonal matrix."""

from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods.equations import lerp, whole
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.orthogonalise import each_orthogonal, orthogonal
from descend.methods.rule import elementwise, matrix, rule

CONVENTIONS: dict[str | None, int] = {"original": 0, None: 0, "match_rms_adamw": 1}
"""How a step grows with the shape of the matrix, by torch's names."""

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Jordan's: steepest at 0 among those that keep singular values below 1.2 or so."""

ITERATION = {
    "ns_coefficients": ("each finite", isfinite),
    "ns_steps": ("from 1 to 99", lambda x: 1 <= x < 100 and x == int(x)),
}
"""Ranges of the iteration's hyperparameters."""


def as_matrices(x: Tensor, stacked: float, first: int = 0) -> Tensor:
    """Return a tensor of more than two dimensions as a matrix (out, rest), or as the stack that it is.

    Args:
        x: the tensor.
        stacked: whether it is a stack.
        first: how many dimensions in front of it are left alone.
    """
    return x if x.ndim == 2 + first or stacked else x.flatten(1 + first)


def scale_of(m: int, n: int, convention: float) -> float:
    """Return by how much the step of an m × n matrix is lengthened; not at all where it is negative."""
    if convention < 0:
        return 1.0
    return 0.2 * max(m, n) ** 0.5 if convention else max(1.0, m / n) ** 0.5


def upright(
    x: Tensor, a: float, b: float, c: float, eps: float, steps: float, stacked: float, convention: float
) -> Tensor:
    """Return the nearest orthogonal matrix, nearly, at the length of the convention."""
    y = as_matrices(x, stacked)
    scale = scale_of(y.shape[-2], y.shape[-1], convention)
    return orthogonal(y, a, b, c, eps, steps, scale).view(x.shape)


def each_upright(xs: list[Tensor], *numbers: float) -> list[Tensor]:
    """Do the same with a list, those of one shape together."""
    *first, stacked, convention = numbers
    ys = [as_matrices(x, stacked) for x in xs]
    scales = [scale_of(y.shape[-2], y.shape[-1], convention) for y in ys]
    return [y.view(x.shape) for x, y in zip(xs, each_orthogonal(ys, *first, scales=scales), strict=True)]


upright.batched = each_upright  # type: ignore[attr-defined]


def followed(v: Tensor, o: Tensor, beta2: float, stacked: float) -> Tensor:
    """Return the running mean square of each row."""
    return _followed(v, as_matrices(o, stacked), beta2)


def _followed(v: Tensor, o: Tensor, beta2: float) -> Tensor:
    return torch.lerp(v, o.square().mean(-1, keepdim=True).to(v.dtype), 1 - beta2)


def each_followed(v: Tensor, o: Tensor, beta2: float, stacked: float) -> Tensor:
    """Do the same with each of a stack."""
    return _followed(v, as_matrices(o, stacked, 1), beta2)


followed.stacked = each_followed  # type: ignore[attr-defined]


def evened(o: Tensor, v: Tensor, stacked: float, convention: float) -> Tensor:
    """Return the matrix with rows divided by their recent size, at the length of the convention."""
    return _evened(as_matrices(o, stacked), v, convention).view(o.shape)


def each_evened(o: Tensor, v: Tensor, stacked: float, convention: float) -> Tensor:
    """Do the same with each of a stack."""
    return _evened(as_matrices(o, stacked, 1), v, convention).view(o.shape)


evened.stacked = each_evened  # type: ignore[attr-defined]


def _evened(y: Tensor, v: Tensor, convention: float) -> Tensor:
    eps = 1e-10  # the authors'; a row of zeros stays one
    found = y / (v.sqrt() + eps).to(y.dtype)
    length = torch.linalg.vector_norm(found, dim=(-2, -1), keepdim=True) + eps
    m, n = y.shape[-2:]
    if convention:
        goal: float | Tensor = 0.2 * (m * n) ** 0.5
    else:
        goal = scale_of(m, n, convention) * torch.linalg.vector_norm(y, dim=(-2, -1), keepdim=True)
    return found.mul_(goal / length)


@rule(m=elementwise)
def muon(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Follow the mean gradient, with all its singular values made nearly one."""
    s.m = lerp(s.m, g, 1 - h.momentum)
    u = lerp(g, s.m, h.momentum) if h.nesterov else s.m
    how = (*h.ns_coefficients, h.eps, h.ns_steps, h.stacked, CONVENTIONS[h.adjust_lr_fn])
    return w - h.lr * whole(upright, u, *how)


def row_sizes(w: Tensor, stacked: bool) -> tuple[int, ...]:
    """Return the shape of one number a row."""
    return (*as_matrices(w, stacked).shape[:-1], 1)


@rule(m=elementwise, v=matrix(row_sizes, "stacked"))
def normuon(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Muon, with each row (neuron) divided by its own recent size."""
    s.m = lerp(s.m, g, 1 - h.momentum)
    u = lerp(g, s.m, h.momentum) if h.nesterov else s.m
    o = whole(upright, u, *h.ns_coefficients, h.eps, h.ns_steps, h.stacked, -1)
    s.v = whole(followed, s.v, o, h.beta2, h.stacked)
    return w - h.lr * whole(evened, o, s.v, h.stacked, CONVENTIONS[h.adjust_lr_fn])


def usual_routes(h: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return where kinds of parameters go that are not for orthogonal steps: to AdamW."""
    # With 0.02, at home in Jordan's convention, AdamW has its own usual 1e-3; Moonshot's gives both one rate.
    ratio = 1.0 if CONVENTIONS.get(h["adjust_lr_fn"]) else 0.05
    adamw = {"method": "adamw", "lr_ratio": ratio, "betas": (0.9, 0.95)}
    plain = {**adamw, "weight_decay": 0.0}
    return {"head": adamw, "embedding": plain, "norm": plain, "vector": plain}


def suggested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rate that is usual in Jordan's convention; torch's default is for Moonshot's."""
    return {} if CONVENTIONS.get(given.get("adjust_lr_fn")) else {"lr": 0.02}


def lengthened(p: Tensor, h: Mapping[str, Any]) -> float:
    """Return by how much a parameter's step is lengthened for its shape."""
    m, n = as_matrices(p, h["stacked"]).shape[-2:]
    return scale_of(m, n, CONVENTIONS[h["adjust_lr_fn"]])


class Muon(Method):
    """Muon: momentum, with every singular value of the step made nearly one.

    Equations, for each matrix; NS is Newton and Schulz's iteration (see :mod:`.orthogonalise`)::

        m ← μ m + (1 − μ) g              u = (1 − μ) g + μ m        (nesterov; else u = m)
        w ← (1 − lr·λ) w − lr · r · NS(u)                           NS(U S Vᵀ) ≈ U Vᵀ
        r = √max(1, rows/columns)        (original)
        r = 0.2 √max(rows, columns)      (match_rms_adamw: entries of about AdamW's size, 0.2 · lr)

    Args:
        params: matrices, or groups of them; ``descend.optimizer("muon", model)`` gives a model's other
            parameters to AdamW.
        lr: ≥ 0; 0.02 is usual with ``original`` (and what ``descend.optimizer`` takes where none is given;
            the default is torch's), AdamW's own with ``match_rms_adamw``.
        weight_decay: λ ≥ 0, decoupled.
        momentum: μ in [0, 1).
        nesterov: look ahead.
        ns_coefficients: of the iteration s ← a s + b s³ + c s⁵ of the singular values.
        eps: > 0: the least norm that u is divided by.
        ns_steps: rounds of the iteration, 1 to 99.
        adjust_lr_fn: ``original`` (Jordan's; also ``None``) or ``match_rms_adamw`` (Moonshot's). With equal
            lr, their steps of a 1024 × 1024 matrix differ 6.4 times.
        stacked: whether a tensor of more than two dimensions is a stack of matrices (its last two), such
            as the experts of a layer; otherwise, as a convolution, it is one matrix (out, rest).
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: the hidden matrices of a transformer or a convolutional network are to be trained in as few
    steps as possible. Embeddings, heads, norms and biases are not for it.

    Source: Jordan 2024, kellerjordan.github.io/posts/muon; ``match_rms_adamw``: Liu et al. 2025,
    arXiv:2502.16982. Equal to ``torch.optim.Muon`` but for the rounding of NS.

    Differs: float64 parameters are orthogonalised in float64, others in bfloat16 where that is fast and in
    float32 elsewhere (torch: bfloat16 always); matrices that are long are iterated on their small side,
    which rounds otherwise. Convolutions are taken, with rows/columns counted as those of the matrix (out,
    rest); Jordan's code counts those of the kernel, which comes to r = 1.
    torch without nesterov divides the momentum of bfloat16 parameters itself by its norm; this does not.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.zeros(2, 2))
        >>> opt = descend.methods.Muon([w], lr=0.1)
        >>> (w * torch.tensor([[3.0, 0.0], [0.0, 0.001]])).sum().backward()
        >>> opt.step()
        >>> [round(x, 1) for x in w.diagonal().tolist()]
        [-0.1, -0.0]
    """

    rule: ClassVar = muon
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·r·NS(m)"
    takes: ClassVar = staticmethod(lambda p: p.ndim >= 2)
    routes: ClassVar = staticmethod(usual_routes)
    suggested: ClassVar = staticmethod(suggested)
    lengthened: ClassVar = staticmethod(lengthened)
    choices: ClassVar = {"adjust_lr_fn": ("original", "match_rms_adamw", None)}
    ranges: ClassVar = ITERATION

    lr: float = 1e-3
    weight_decay: float = 0.1
    momentum: float = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS
    eps: float = 1e-7
    ns_steps: int = 5
    adjust_lr_fn: str | None = "original"
    stacked: bool = False


class NorMuon(Method):
    """NorMuon: Muon, with each neuron's row brought to the same size.

    Equations, for each matrix; NS as in :class:`Muon`, o² and √v by entries::

        m ← μ m + (1 − μ) g              u = (1 − μ) g + μ m        (nesterov; else u = m)
        o = NS(u)
        v ← β₂ v + (1 − β₂) · mean of o² by row                     (one number a row)
        n = o / (√v + 10⁻¹⁰)
        w ← (1 − lr·λ) w − lr · √max(1, rows/columns) · ‖o‖ n/‖n‖   (original)
        w ← (1 − lr·λ) w − lr · 0.2 √(rows · columns) · n/‖n‖       (match_rms_adamw)

    Args:
        params: matrices, or groups of them; ``descend.optimizer("normuon", model)`` gives a model's other
            parameters to AdamW.
        lr: ≥ 0; 0.02 is usual with ``original``, AdamW's own with ``match_rms_adamw``.
        weight_decay: λ ≥ 0, decoupled.
        momentum: μ in [0, 1).
        nesterov: look ahead.
        ns_coefficients, eps, ns_steps: of the iteration, as in :class:`Muon`.
        adjust_lr_fn: ``original`` (the authors' code; also ``None``) or ``match_rms_adamw`` (the paper's
            algorithm 1).
        stacked: as in :class:`Muon`.
        beta2: β₂ in [0, 1): the memory of the rows' sizes.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and 4 bytes a row.

    Use it when: Muon is used: some neurons' rows get much longer steps than others, and it evens them out
    for next to nothing.

    Source: Li et al. 2025, arXiv:2510.05491, and the authors' code.

    Differs: NS is rounded as in :class:`Muon`. Convolutions are matrices (out, rest) with a row for each
    output; the authors' code takes the rows of the kernel.

    Example:
        >>> import torch, descend
        >>> layer = torch.nn.Linear(4, 4, bias=False)
        >>> opt = descend.methods.NorMuon(layer.parameters(), lr=0.1)
        >>> layer(torch.ones(1, 4)).sum().backward()
        >>> opt.step()
    """

    rule: ClassVar = normuon
    decay: ClassVar = decoupled_decay
    equation: ClassVar = (
        "v ← β₂v + (1 − β₂)·mean of NS(m)² by row;  w ← (1 − lr·λ)w − lr·r·NS(m)/√v, rescaled"
    )
    takes: ClassVar = staticmethod(lambda p: p.ndim >= 2)
    routes: ClassVar = staticmethod(usual_routes)
    suggested: ClassVar = staticmethod(suggested)
    lengthened: ClassVar = staticmethod(lengthened)
    choices: ClassVar = Muon.choices
    ranges: ClassVar = {**ITERATION, "beta2": ("in [0, 1)", lambda x: 0 <= x < 1)}

    lr: float = 2e-2
    weight_decay: float = 0.0
    momentum: float = 0.95
    nesterov: bool = True
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS
    eps: float = 1e-7
    ns_steps: int = 5
    adjust_lr_fn: str | None = "original"
    stacked: bool = False
    beta2: float = 0.95
