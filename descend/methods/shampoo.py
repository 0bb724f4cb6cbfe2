"""Shampoo: a matrix for every side of a tensor, and the length of another method's step."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods import products
from descend.methods.equations import norm, sqrt, where, whole
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import Kept, elementwise, matrix, rule
from descend.methods.sides import (
    ORDERS,
    blocks,
    each_along,
    each_blocks,
    each_together,
    each_unfolded,
    order,
    sides,
    split,
    together,
)

GRAFTS = ("none", "sgd", "adagrad", "rmsprop", "adam")
"""The methods whose steps' lengths Shampoo can take."""


def tracked(gram: Tensor, g: Tensor, keep: float, take: float, k: float, size: float) -> Tensor:
    """Return keep·gram + take·g₍ₖ₎g₍ₖ₎ᵀ for every block."""
    return _track(gram.clone(), g, keep, take, k, size)


def _track(gram: Tensor, g: Tensor, keep: float, take: float, k: float, size: float) -> Tensor:
    """Do the same in place."""
    a = each_unfolded(blocks(g, size), int(k))
    if gram.numel():
        products.symmetric(a, a, gram, take, keep, out=gram)
    return gram


def _each_track(gram: Tensor, g: Tensor, keep: float, take: float, k: float, size: float) -> Tensor:
    a = each_unfolded(each_blocks(g, size).flatten(0, 1), int(k))
    if gram.numel():
        flat = gram.flatten(0, 1)
        products.symmetric(a, a, flat, take, keep, out=flat)
    return gram


tracked.in_place = _track  # type: ignore[attr-defined]
tracked.stacked = _each_track  # type: ignore[attr-defined]


def root(gram: Tensor, scale: float, eps: float, power: float) -> Tensor:
    """Return (gram/scale + ε I)^(−1/power) for every block.

    On a GPU this waits for it, as LAPACK's code for failure is looked at on the host.
    """
    return _each_root(gram.unsqueeze(0), scale, eps, power).squeeze(0)


def _each_root(gram: Tensor, scale: float, eps: float, power: float) -> Tensor:
    finite = gram.isfinite().flatten(1).all(1).view(-1, 1, 1, 1)
    sizes, vectors = torch.linalg.eigh(gram.where(finite, 0.0) / scale)
    found = (vectors * (sizes.clamp_min(0) + eps).pow(-1 / power).unsqueeze(-2)) @ vectors.mT
    return found.where(finite, torch.nan)  # as the parameter is going to be


root.stacked = _each_root  # type: ignore[attr-defined]


def preconditioned(g: Tensor, *args: Any) -> Tensor:
    """Multiply every side of every block of g by its root. Arguments: roots; the size of a block."""
    roots, (size,) = split(args)
    x = blocks(g, size)
    for k, a in enumerate(roots):
        x = each_along(x, k, a)
    return together(x, g.shape, size)


def _each_preconditioned(g: Tensor, *args: Any) -> Tensor:
    roots, (size,) = split(args)
    x = each_blocks(g, size)
    shape = x.shape
    x = x.flatten(0, 1)
    for k, a in enumerate(roots):
        x = each_along(x, k, a.flatten(0, 1))
    return each_together(x.view(shape), g.shape[1:], size)


preconditioned.stacked = _each_preconditioned  # type: ignore[attr-defined]


def _shape(w: Tensor, size: int, k: int) -> tuple[int, int, int]:
    """Return the shape of what is kept for side k: a matrix for every block."""
    x = blocks(w, size)
    return (x.shape[0], x.shape[k + 1], x.shape[k + 1])


def _kept() -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for k in range(len(ORDERS)):
        for name in ("gram", "root"):
            side = matrix(lambda w, size, k=k: _shape(w, size, k), "block_size").in_float32()
            found[f"{name}{k}"] = side.of(*ORDERS[max(k, 1) :])
    return found


@rule(
    form=order,
    m=elementwise.when("momentum"),
    v=elementwise.non_negative().when("grafting", "adagrad", "rmsprop", "adam"),
    **_kept(),
)
def shampoo(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Whiten every side of the gradient; the grafted method tells how long the step is."""
    graft = g
    if h.grafting == "adagrad":
        s.v = s.v + g * g
        graft = g / (sqrt(s.v) + h.grafting_eps)
    elif h.grafting == "rmsprop":
        s.v = h.grafting_beta2 * s.v + (1 - h.grafting_beta2) * (g * g)
        graft = g / (sqrt(s.v) + h.grafting_eps)
    elif h.grafting == "adam":
        s.v = h.grafting_beta2 * s.v + (1 - h.grafting_beta2) * (g * g)
        graft = g / (sqrt(s.v / (1 - h.grafting_beta2**s.step)) + h.grafting_eps)
    u = graft
    if s.form != "vector":
        numbers = sides(s.form)
        summed = h.beta2 == 1
        scale = 1.0 if summed else 1 - h.beta2**s.step
        power = h.exponent_override if h.exponent_override > 0 else 2 * len(numbers)
        for k in numbers:
            take = 1.0 if summed else 1 - h.beta2
            setattr(s, f"gram{k}", whole(tracked, getattr(s, f"gram{k}"), g, h.beta2, take, k, h.block_size))
        since = s.step - h.start_preconditioning_step
        if since >= 0:
            if since % h.precondition_frequency == 0:
                for k in numbers:
                    setattr(s, f"root{k}", whole(root, getattr(s, f"gram{k}"), scale, h.eps, power))
            u = whole(preconditioned, g, *[getattr(s, f"root{k}") for k in numbers], h.block_size)
            if h.grafting != "none":
                length = norm(u)
                u = u * where(length > 0, norm(graft) / length, 0.0)
    if not h.momentum:
        return w - h.lr * u
    s.m = h.momentum * s.m + u
    return w - h.lr * (u + h.momentum * s.m if h.nesterov else s.m)


class Shampoo(Method):
    """Shampoo: every side of the gradient whitened by a root of its own mean product.

    Equations for a matrix, in step t of this parameter::

        L ← β₂ L + (1 − β₂) g gᵀ     R ← β₂ R + (1 − β₂) gᵀ g        (β₂ = 1: L + g gᵀ, R + gᵀ g)
        A = (L/c + ε I)^(−1/4)       B = (R/c + ε I)^(−1/4)          every f steps; c = 1 − β₂ᵗ (β₂ = 1: 1)
        u = A g B · ‖a‖/‖A g B‖
        m ← μ m + u
        w ← (1 − lr·λ) w − lr · m                                    (nesterov: u + μ m)

    where a is the step of the grafted method, which gives the length: g (``sgd``), g/(√Σg² + ε')
    (``adagrad``), g/(√v + ε') with v ← β' v + (1 − β') g² (``rmsprop``), or with v/(1 − β'ᵗ) (``adam``). A
    tensor with k sides has k matrices, each to the power −1/(2k). Vectors take the grafted step itself, and
    so do the first steps of all: the products of a few gradients leave directions in which L and R are empty.

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the length of a step, in steps of the grafted method; with μ = 0.9 a tenth of what it bears.
        momentum: μ in [0, 1).
        beta2: β₂ in [0, 1]: the memory of L and R; 1 sums up all products.
        eps: ε ≥ 0, in units of L.
        weight_decay: λ ≥ 0, decoupled.
        nesterov: look ahead by one step of momentum.
        precondition_frequency: f ≥ 1: how many steps between two computations of A and B.
        start_preconditioning_step: ≥ 1: the first step with A and B.
        exponent_override: p > 0 for (L + ε I)^(−1/p) whatever the number of sides; 0 for 2k.
        block_size: ≥ 1: a longer side is cut into blocks, each with matrices of its own.
        grafting: ``none``, ``sgd``, ``adagrad``, ``rmsprop`` or ``adam``.
        grafting_beta2: β' in [0, 1).
        grafting_eps: ε' ≥ 0.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter, and 8 n b bytes for each side of length n cut into blocks of b: 24
    for a square matrix in one block.

    Use it when: layers are matrices of moderate size. SOAP keeps the same matrices and is the more robust;
    Shampoo with f = 1 follows its equations exactly.

    Source: Gupta et al. 2018, arXiv:1802.09568 (L and R, β₂ = 1, no grafting); Anil et al. 2020,
    arXiv:2002.09018 (grafting, blocks, β₂ < 1); Shi et al. 2023, arXiv:2309.06497 (``adam`` grafting, c).

    Differs: the roots come from eigenvalues, Anil's from Newton's iteration with a tolerance; small sides are
    not merged; the decay is decoupled.

    Example:
        >>> import torch, descend
        >>> model = torch.nn.Linear(4, 3)
        >>> opt = descend.optimizer("shampoo", model, lr=1e-3, precondition_frequency=10)
        >>> model(torch.randn(8, 4)).square().mean().backward()
        >>> opt.step()
        >>> opt.state[model.weight]["root0"].shape
        torch.Size([1, 3, 3])
    """

    rule: ClassVar = shampoo
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← w − lr·m,  m ← μm + L^(−1/4) g R^(−1/4)"
    choices: ClassVar = {"grafting": GRAFTS}
    ranges: ClassVar = {
        "beta2": ("in [0, 1]", lambda x: 0 <= x <= 1),
        "precondition_frequency": ("at least 1", lambda x: x >= 1),
        "start_preconditioning_step": ("at least 1", lambda x: x >= 1),
        "exponent_override": ("at least 0", lambda x: x >= 0),
        "block_size": ("at least 1", lambda x: x >= 1),
        "grafting_beta2": ("in [0, 1)", lambda x: 0 <= x < 1),
        "grafting_eps": ("at least 0", lambda x: x >= 0),
    }

    lr: float = 1e-3
    momentum: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-12
    weight_decay: float = 0.0
    nesterov: bool = False
    precondition_frequency: int = 10
    start_preconditioning_step: int = 10
    exponent_override: float = 0.0
    block_size: int = 1024
    grafting: str = "adam"
    grafting_beta2: float = 0.999
    grafting_eps: float = 1e-8
