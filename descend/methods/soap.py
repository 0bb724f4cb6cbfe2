"""SOAP: Adam in the eigenbases of Shampoo's preconditioners."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods import products
from descend.methods.equations import given, lerp, mean, sqrt, whole
from descend.methods.method import Method
from descend.methods.rule import Kept, elementwise, matrix, rule
from descend.methods.sides import (
    ORDERS,
    along,
    each_along,
    each_merged,
    each_unfolded,
    merged,
    order,
    rotated,
    rotated_back,
    sides,
    split,
    square,
    symmetric,
    tracked,
    unfolded,
)


def first_basis(basis: Tensor, g: Tensor, k: float, merge: float) -> Tensor:
    """Return the eigenvectors of g₍ₖ₎g₍ₖ₎ᵀ, the largest eigenvalue first.

    Of a side that is longer than the others together, most eigenvalues are 0 in the first step: the
    eigenvectors of the small product V = eig(g₍ₖ₎ᵀg₍ₖ₎) give those that are not (g₍ₖ₎V, made orthogonal), and
    Householder's reflections complete them: some thirty times less work for 7000 × 384.

    Args:
        basis: the place for it; of shape (0, 0) where the side has none.
        g: the gradient.
        k: the side.
        merge: as in :mod:`.sides`.
    """
    if not basis.numel():
        return basis.clone()
    a = unfolded(g.reshape(merged(g.shape, merge)), int(k)).to(basis.dtype)
    if a.shape[0] <= a.shape[1]:
        return eigenvectors(a @ a.mT)
    return torch.linalg.qr(a @ eigenvectors(a.mT @ a), mode="complete")[0]


def _each_first_basis(basis: Tensor, g: Tensor, k: float, merge: float) -> Tensor:
    if not basis.numel():
        return basis.clone()
    a = each_unfolded(each_merged(g, merge), int(k)).to(basis.dtype)
    if a.shape[1] <= a.shape[2]:
        return eigenvectors(a @ a.mT)
    return torch.linalg.qr(a @ eigenvectors(a.mT @ a), mode="complete")[0]


first_basis.stacked = _each_first_basis  # type: ignore[attr-defined]


def eigenvectors(x: Tensor) -> Tensor:
    """Return the eigenvectors of symmetric matrices as columns, the largest eigenvalue first.

    On a GPU this waits for it, as LAPACK's code for failure is looked at on the host; it is done once.
    """
    try:
        return torch.linalg.eigh(x)[1].flip(-1)
    except torch.linalg.LinAlgError:
        try:
            return torch.linalg.eigh(x.double())[1].flip(-1).to(x.dtype)
        except torch.linalg.LinAlgError:  # not finite, as the parameter is going to be
            if x.ndim > 2:  # the others of the stack may be
                return torch.stack([eigenvectors(one) for one in x])
            return torch.full_like(x, torch.nan)


def powered(gram: Tensor, basis: Tensor) -> Tensor:
    """Return LQ: a step of power iteration."""
    if not gram.is_cpu:
        return _each_powered(gram.unsqueeze(0), basis.unsqueeze(0)).squeeze(0)
    return symmetric(gram) @ basis


def _each_powered(gram: Tensor, basis: Tensor) -> Tensor:
    return products.product(symmetric.stacked(gram), basis)  # type: ignore[attr-defined]


powered.stacked = _each_powered  # type: ignore[attr-defined]


def by_size(power: Tensor, basis: Tensor) -> Tensor:
    """Return the order of the eigenvalues diag(QᵀLQ), the largest first, as an executor keeps numbers."""
    return (basis * power).sum(-2).argsort(-1, descending=True).to(power.dtype)


by_size.stacked = by_size  # type: ignore[attr-defined]


def next_basis(power: Tensor, places: Tensor) -> Tensor:
    """Return the orthogonal factor of LQ, its columns ordered by eigenvalue."""
    return torch.linalg.qr(torch.take_along_dim(power, places.long().unsqueeze(-2), -1))[0]


next_basis.stacked = next_basis  # type: ignore[attr-defined]


def reordered(v: Tensor, *args: Any) -> Tensor:
    """Put v into the new order of the eigenvalues. Arguments: an order a side; merge."""
    orders, (merge,) = split(args)
    y = v.reshape(merged(v.shape, merge))
    for k, places in enumerate(orders):
        if places.numel():
            y = y.index_select(k, places.long())
    return _own(y.reshape(v.shape), v)


def _each_reordered(v: Tensor, *args: Any) -> Tensor:
    orders, (merge,) = split(args)
    y = each_merged(v, merge)
    for k, places in enumerate(orders):
        if places.numel():
            index = places.long().view(len(places), *(-1 if i == k else 1 for i in range(y.ndim - 1)))
            y = torch.take_along_dim(y, index, k + 1)
    return _own(y.reshape(v.shape), v)


reordered.stacked = _each_reordered  # type: ignore[attr-defined]


def moved(m: Tensor, *args: Any) -> Tensor:
    """Take m from the old bases into the new ones. Arguments: old bases; new bases; merge."""
    tensors, (merge,) = split(args)
    n = len(tensors) // 2
    y = m.reshape(merged(m.shape, merge))
    for k, (old, new) in enumerate(zip(tensors[:n], tensors[n:], strict=True)):
        if not old.numel():
            continue
        if old.shape[0] ** 2 <= y.numel():  # whichever takes fewer products
            y = along(y, k, new.mT @ old)
        else:
            y = along(along(y, k, old), k, new.mT)
    return _own(y.reshape(m.shape), m)


def _each_moved(m: Tensor, *args: Any) -> Tensor:
    tensors, (merge,) = split(args)
    n = len(tensors) // 2
    y = each_merged(m, merge)
    for k, (old, new) in enumerate(zip(tensors[:n], tensors[n:], strict=True)):
        if not old.numel():
            continue
        if old.shape[1] ** 2 <= y[0].numel():
            y = each_along(y, k, products.product(new.mT, old))
        else:
            y = each_along(each_along(y, k, old), k, new.mT)
    return _own(y.reshape(m.shape), m)


moved.stacked = _each_moved  # type: ignore[attr-defined]


def _own(y: Tensor, x: Tensor) -> Tensor:
    return y.clone() if y.data_ptr() == x.data_ptr() else y


def _kept() -> dict[str, Kept]:
    found: dict[str, Kept] = {}
    for k in range(len(ORDERS)):
        for name in ("gram", "basis"):
            side = matrix(
                lambda w, limit, merge, k=k: square(k, w, limit, merge), "max_precond_dim", "merge_dims"
            )
            found[f"{name}{k}"] = side.in_float32().of(*ORDERS[max(k, 1) :])
    side = matrix(lambda w, limit: square(0, w, limit, False), "max_precond_dim").in_float32()
    for name in ("gram", "basis"):
        found[name] = side.of("vector").when("precondition_1d")
    return found


@rule(form=order, m=elementwise, v=elementwise.non_negative(), **_kept())
def soap(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Take Adam's step in the eigenbases of the sides' mean products; m is kept in those bases."""
    beta1, beta2 = h.betas
    beta3 = h.shampoo_beta if given(h.shampoo_beta) else beta2
    merge = h.max_precond_dim if h.merge_dims else 0
    if s.form == "vector":
        numbers = [""] if h.precondition_1d else []
    else:
        numbers = [str(k) for k in sides(s.form)]
    bases = [getattr(s, f"basis{k}") for k in numbers]
    t = s.step - 1  # the first gradient only measures: no gradient is seen in a basis of its own making
    if t > 0:
        r = whole(rotated, g, *bases, merge) if bases else g
        s.m = lerp(s.m, r, 1 - beta1)
        s.v = lerp(s.v, r * r, 1 - beta2)
        u = s.m / (sqrt(s.v) + h.eps)
        if bases:
            u = whole(rotated_back, u, *bases, merge)
        if h.normalize_grads:
            u = u / (sqrt(mean(u * u)) + 1e-30)
        rate = h.lr * sqrt(1 - beta2**t) / (1 - beta1**t) if h.correct_bias else h.lr
        w = (w - rate * u) * (1 - h.lr * h.weight_decay)
    for i, k in enumerate(numbers):
        setattr(s, f"gram{k}", whole(tracked, getattr(s, f"gram{k}"), g, beta3, 1 - beta3, i, merge))
    if t == 0:
        for i, k in enumerate(numbers):
            setattr(s, f"basis{k}", whole(first_basis, bases[i], g, i, merge))
    elif bases and t % h.precondition_frequency == 0:
        powers = [whole(powered, getattr(s, f"gram{k}"), q) for k, q in zip(numbers, bases, strict=True)]
        places = [whole(by_size, p, q) for p, q in zip(powers, bases, strict=True)]
        new = [whole(next_basis, p, i) for p, i in zip(powers, places, strict=True)]
        s.v = whole(reordered, s.v, *places, merge)
        s.m = whole(moved, s.m, *bases, *new, merge)
        for k, q in zip(numbers, new, strict=True):
            setattr(s, f"basis{k}", q)
    return w


class SOAP(Method):
    """SOAP: Adam in the eigenbases of Shampoo's preconditioners.

    Equations for a matrix, in step t + 1 of this parameter (in the first, t = 0, it only measures)::

        r = Q₁ᵀ g Q₂
        m ← β₁ m + (1 − β₁) r        v ← β₂ v + (1 − β₂) r²
        w ← (1 − lr·λ) (w − lr · √(1 − β₂ᵗ)/(1 − β₁ᵗ) · Q₁ (m / (√v + ε)) Q₂ᵀ)
        L ← β₃ L + (1 − β₃) g gᵀ     R ← β₃ R + (1 − β₃) gᵀ g

    and every f steps, with m taken into the new bases and v into their order::

        Q₁ ← qr(L Q₁)                Q₂ ← qr(R Q₂)           (the first time: the eigenvectors)

    A tensor of higher order has a Q for each of its sides. Vectors are descended by Adam.

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate of the bases; 1e-3 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        shampoo_beta: β₃ in [0, 1), the memory of L and R; ``None`` for β₂.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, decoupled.
        precondition_frequency: f ≥ 1: how many steps between two updates of the bases.
        max_precond_dim: a side longer than this has no Q.
        merge_dims: join neighbouring dimensions as long as their product is at most ``max_precond_dim``.
        precondition_1d: give vectors a Q too.
        normalize_grads: divide the step by its root mean square; helps where f is large (100).
        correct_bias: correct m and v for their start.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter, and 8 n² bytes for each side of length n: 24 for a square matrix.

    Use it when: layers are matrices of moderate size and the gradients cost more than products of such
    matrices; it then needs fewer steps than AdamW. A wide vocabulary wants a lower ``max_precond_dim``.

    Source: Vyas et al. 2024, arXiv:2409.11321, as in the authors' code of 2025 (m is kept in the bases).

    Differs: ``shampoo_beta=None`` is the authors' −1; there is no ``data_format``. The QR decomposition is
    in the dtype of the basis (the authors': always float32), which is float32 at least. The first basis of a
    side longer than all others together is completed differently where its eigenvalues are 0, and every
    completion is an eigenbasis.

    Example:
        >>> import torch, descend
        >>> model = torch.nn.Linear(4, 3)
        >>> opt = descend.optimizer("soap", model, lr=3e-3, precondition_frequency=10)
        >>> model(torch.randn(8, 4)).square().mean().backward()
        >>> opt.step()
        >>> opt.state[model.weight]["basis1"].shape
        torch.Size([4, 4])
    """

    rule: ClassVar = soap
    equation: ClassVar = "w ← w − lr·Q₁(m̂/(√v̂ + ε))Q₂ᵀ,  m and v of Q₁ᵀgQ₂"
    ranges: ClassVar = {
        "shampoo_beta": ("in [0, 1), or None", lambda x: 0 <= x < 1),
        "precondition_frequency": ("at least 1", lambda x: x >= 1),
        "max_precond_dim": ("at least 0", lambda x: x >= 0),
    }

    lr: float = 3e-3
    betas: tuple[float, float] = (0.95, 0.95)
    shampoo_beta: float | None = None
    eps: float = 1e-8
    weight_decay: float = 0.01
    precondition_frequency: int = 10
    max_precond_dim: int = 10000
    merge_dims: bool = False
    precondition_1d: bool = False
    normalize_grads: bool = False
    correct_bias: bool = True
