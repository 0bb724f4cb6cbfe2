"""Methods that keep less than Adam: factors, means and projections in place of whole second moments."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods.equations import given, lerp, maximum, mean, minimum, sqrt, whole
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import elementwise, matrix, one_a_tensor, rule


# Squares by their rows and columns --------------------------------------------------------------
def _by_dimensions(w: Tensor) -> str:
    return "matrix" if w.dim() > 1 else "vector"


def _rows(w: Tensor) -> tuple[int, ...]:
    return (*w.shape[:-1], 1)


def _columns(w: Tensor) -> tuple[int, ...]:
    return (*w.shape[:-2], 1, w.shape[-1])


def _squared_rows(x: Tensor) -> Tensor:
    """Return the mean square along each row, without squares as large as x in between."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1])


def _squared_columns(x: Tensor) -> Tensor:
    # A norm along columns takes fifty times as long on the CPU.
    return torch.linalg.vecdot(x, x, dim=-2).unsqueeze(-2).div(x.shape[-2])


def _rms(x: Any) -> Any:
    return sqrt(mean(x * x))


def _resolution(x: Tensor) -> Tensor:
    """Return the distance from 1 to the next number in x's format."""
    return torch.full((), torch.finfo(x.dtype).eps, dtype=x.dtype, device=x.device)


_resolution.of_any_part = True  # type: ignore[attr-defined]


def _product(rows: Tensor, columns: Tensor, least: Tensor | float) -> Tensor:
    """Return the matrix of rank one with these means of its rows and columns."""
    return rows / rows.mean(dim=-2, keepdim=True).clamp_(min=least) * columns


@rule(
    form=_by_dimensions,
    row_var=matrix(_rows).of("matrix"),
    col_var=matrix(_columns).of("matrix"),
    variance=elementwise.non_negative().of("vector"),
)
def adafactor(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide by the root of a second moment that is known by its rows and columns; bound the step."""
    forget = s.step**h.beta2_decay  # 1 − β₂, from 1 towards 0
    least = h.eps[0] if given(h.eps[0]) else whole(_resolution, g, gives=one_a_tensor)
    if s.form == "matrix":
        s.row_var = lerp(s.row_var, whole(_squared_rows, g), forget)
        s.col_var = lerp(s.col_var, whole(_squared_columns, g), forget)
        v = whole(_product, s.row_var, s.col_var, least)
    else:
        v = s.variance = lerp(s.variance, g * g, forget)
    u = g / sqrt(maximum(v, least * least))
    length = minimum(h.lr, 1 / sqrt(s.step)) * maximum(_rms(w), h.eps[1]) / maximum(_rms(u) / h.d, 1.0)
    if h.weight_decay:
        w = w * (1 - h.lr * h.weight_decay)
    return w - length * u


class Adafactor(Method):
    """Adafactor: Adam without momentum, whose second moment takes a row and a column of memory.

    Equations, in step t of this parameter, with β = 1 − t^τ (τ: beta2_decay)::

        r ← β r + (1 − β) (mean square of each row of g)
        c ← β c + (1 − β) (mean square of each column of g)
        v = r c / max(mean r, ε₁)                              (of a vector: v ← β v + (1 − β) g²)
        u = g / √max(v, ε₁²)
        w ← (1 − lr·λ) w − min(lr, 1/√t) · max(ε₂, rms w) / max(1, rms(u) / d) · u

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the largest share of a tensor's own size that it moves in a step; 1e-3 to 1e-2.
        beta2_decay: τ ≤ 0: how fast the memory of squares grows.
        eps: (ε₁, ε₂), each ≥ 0: against division by zero (``None``: the resolution of the number format),
            and the least size that a tensor is taken for.
        d: ≥ 1: the largest size of an update, in units of rms.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: 4 (m + n) bytes a float32 matrix of m × n, 0.008 bytes a parameter of 1024 × 1024; 4 bytes a
    parameter of a vector. The last two dimensions of a larger tensor are its matrix.

    Use it when: the state of Adam does not fit. Without momentum it descends a little slower.

    Source: Shazeer & Stern 2018, arXiv:1804.04235. Equal to ``torch.optim.Adafactor``, which differs from the
    paper in the use of lr and ε₁.

    Example:
        >>> import torch
        >>> from descend.methods import Adafactor
        >>> w = torch.nn.Parameter(torch.ones(8, 8))
        >>> opt = Adafactor([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> sum(x.numel() for x in (opt.state[w]["row_var"], opt.state[w]["col_var"]))
        16
    """

    rule: ClassVar = adafactor
    equation: ClassVar = "w ← (1 − lr·λ)w − min(lr, 1/√t)·rms(w)·clip(g/√(rcᵀ))"
    ranges: ClassVar[Mapping] = {
        "beta2_decay": ("at most 0", lambda x: x <= 0),
        "d": ("at least 1", lambda x: x >= 1),
    }

    lr: float = 1e-2
    beta2_decay: float = -0.8
    eps: tuple[float | None, float] = (None, 1e-3)
    d: float = 1.0
    weight_decay: float = 0.0


def _inverse_root(rows: Tensor, columns: Tensor) -> Tensor:
    """Return 1 / √v, where v is the matrix of rank one with these means of its rows and columns."""
    return (rows / rows.mean(dim=-2, keepdim=True)).rsqrt_() * columns.rsqrt()


@rule(
    form=_by_dimensions,
    m=elementwise,
    row=matrix(_rows).of("matrix"),
    column=matrix(_columns).of("matrix"),
    row_res=matrix(_rows).of("matrix"),
    column_res=matrix(_columns).of("matrix"),
    v=elementwise.non_negative().of("vector"),
)
def came(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adafactor with momentum, trusted less where updates disagree with their own mean."""
    beta1, beta2, beta3 = h.betas
    if s.form == "matrix":
        s.row = lerp(s.row, whole(_squared_rows, g) + h.eps[0], 1 - beta2)
        s.column = lerp(s.column, whole(_squared_columns, g) + h.eps[0], 1 - beta2)
        u = g * whole(_inverse_root, s.row, s.column)
    else:
        s.v = lerp(s.v, g * g + h.eps[0], 1 - beta2)
        u = g / sqrt(s.v)
    u = u / maximum(_rms(u) / h.clip_threshold, 1.0)
    s.m = lerp(s.m, u, 1 - beta1)
    if s.form == "matrix":
        unlike = u - s.m
        s.row_res = lerp(s.row_res, whole(_squared_rows, unlike) + h.eps[1], 1 - beta3)
        s.column_res = lerp(s.column_res, whole(_squared_columns, unlike) + h.eps[1], 1 - beta3)
        return w - h.lr * (s.m * whole(_inverse_root, s.row_res, s.column_res))
    return w - h.lr * s.m


class CAME(Method):
    """CAME: Adafactor with momentum, and a second factored record of how far it can be trusted.

    Equations, for a matrix, with R(x) and C(x) the mean squares of the rows and columns of x, and
    x / √(r, c) the division by the root of r c / mean r::

        r ← β₂ r + (1 − β₂) (R(g) + ε₁)              c ← β₂ c + (1 − β₂) (C(g) + ε₁)
        u = g / √(r, c), divided by max(1, rms(u) / d)
        m ← β₁ m + (1 − β₁) u
        p ← β₃ p + (1 − β₃) (R(u − m) + ε₂)          q ← β₃ q + (1 − β₃) (C(u − m) + ε₂)
        w ← (1 − lr·λ) w − lr · m / √(p, q)          (of a vector: its own v, and w − lr · m)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: step length; 1e-4 to 1e-3.
        eps: (ε₁, ε₂), each ≥ 0: against division by zero.
        clip_threshold: d > 0: the largest size of an update, in units of rms.
        betas: (β₁, β₂, β₃), each in [0, 1): the memories of the update, of squares and of disagreement.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter and 8 (m + n) bytes a matrix of m × n: 4.016 bytes a parameter of
    1024 × 1024; 8 bytes a parameter of a vector. The last two dimensions of a larger tensor are its matrix.

    Use it when: a large language model is trained with large batches and half of Adam's memory.

    Source: Luo et al. 2023, arXiv:2307.02047. Equal to came-pytorch.

    Example:
        >>> import torch
        >>> from descend.methods import CAME
        >>> w = torch.nn.Parameter(torch.ones(8, 8))
        >>> opt = CAME([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> bool((w < 1).all())
        True
    """

    rule: ClassVar = came
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "m ← β₁m + (1 − β₁)·clip(g/√(rcᵀ));  w ← (1 − lr·λ)w − lr·m/√(pqᵀ)"
    ranges: ClassVar[Mapping] = {"clip_threshold": ("above 0", lambda x: x > 0)}

    lr: float = 2e-4
    eps: tuple[float, float] = (1e-30, 1e-16)
    clip_threshold: float = 1.0
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999)
    weight_decay: float = 0.0


# One square for many numbers --------------------------------------------------------------------
def _outputs(w: Tensor) -> tuple[int, ...]:
    return (w.shape[0], *(1 for _ in w.shape[1:]))


def _squared_outputs(g: Tensor) -> Tensor:
    return g.square().mean(dim=tuple(range(1, g.dim())), keepdim=True)


def _divided(m: Tensor, by: Tensor) -> Tensor:
    return m / by


@rule(
    form=_by_dimensions,
    m=elementwise,
    v=elementwise.non_negative().when("block", "row").of("vector"),
    v_row=matrix(_outputs).when("block", "row").of("matrix"),
    v_tensor=one_a_tensor.when("block", "tensor"),
)
def adammini(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam with one mean squared gradient for each block of parameters."""
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    step, c2 = h.lr / (1 - beta1**s.step), 1 - beta2**s.step
    if h.block == "tensor":
        s.v_tensor = beta2 * s.v_tensor + (1 - beta2) * mean(g * g)
        return w - step / (sqrt(s.v_tensor / c2) + h.eps) * s.m
    if s.form == "matrix":
        s.v_row = beta2 * s.v_row + (1 - beta2) * whole(_squared_outputs, g)
        return w - step * whole(_divided, s.m, sqrt(s.v_row / c2) + h.eps)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    return w - step * s.m / (sqrt(s.v / c2) + h.eps)


class AdamMini(Method):
    """Adam-mini: AdamW with one learning rate for each block of parameters instead of each parameter.

    Equations, in step t of this parameter, block by block::

        m ← β₁ m + (1 − β₁) g                        m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) mean(g² of the block)    v̂ = v / (1 − β₂ᵗ)
        w ← (1 − lr·λ) w − lr · m̂ / (√v̂ + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: as AdamW's; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        block: ``row``: all that leads to one output (w[i]) is a block, and each number of a vector;
            ``tensor``: a whole tensor is.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter and 4 bytes a block: 4.004 bytes a parameter of 1024 × 1024; 8 bytes
    a parameter of a vector, with ``row``.

    Use it when: half of Adam's state is to be saved; its authors find it on a par with AdamW in transformers.
    Put norms' weights in a group with ``block="tensor"`` to have their partition.

    Source: Zhang et al. 2024, arXiv:2406.16793.

    Differs: the authors' code knows blocks by the names of parameters, and gives queries and keys a block for
    each head; here shape and ``block`` decide. A head's queries as a parameter of its own with
    ``block="tensor"`` are the same.

    Example:
        >>> import torch
        >>> from descend.methods import AdamMini
        >>> w = torch.nn.Parameter(torch.ones(4, 8))
        >>> opt = AdamMini([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> opt.state[w]["v_row"].shape
        torch.Size([4, 1])
    """

    rule: ClassVar = adammini
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "v ← β₂v + (1 − β₂)·mean(g² of the block);  w ← (1 − lr·λ)w − lr·m̂/(√v̂ + ε)"
    choices: ClassVar[Mapping] = {"block": ("row", "tensor")}

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    block: str = "row"


# Moments of a projection ------------------------------------------------------------------------
_RIGHT = {"tall": {"std": True, "reverse_std": False}, "wide": {"std": False, "reverse_std": True}}
"""Whether a matrix of this form is projected from the right; ``right`` and ``left`` say so themselves."""


def _tall_or_wide(w: Tensor) -> str:
    if w.dim() != 2 or not w.numel():
        return "vector"
    return "tall" if w.shape[0] >= w.shape[1] else "wide"


def _from_right(form: str, proj_type: str) -> bool:
    return _RIGHT[form].get(proj_type, proj_type == "right")


def _projected_shape(w: Tensor, rank: int, proj_type: str) -> tuple[int, ...]:
    rows, columns = w.shape
    rank = min(rank, rows, columns)
    return (rows, rank) if _from_right(_tall_or_wide(w), proj_type) else (rank, columns)


def _basis_shape(w: Tensor, rank: int, proj_type: str) -> tuple[int, ...]:
    rows, columns = w.shape
    rank = min(rank, rows, columns)
    return (columns if _from_right(_tall_or_wide(w), proj_type) else rows, rank)


def _columns_basis(g: Tensor, rank: float) -> Tensor:
    """Return the directions in which most of g's columns lie: its first left singular vectors."""
    x = g if g.dtype in (torch.float32, torch.float64) else g.float()
    basis = torch.linalg.svd(x, full_matrices=False)[0][:, : int(rank)]
    # A singular vector is known up to its sign: its largest number is positive, on every machine.
    signs = basis.gather(0, basis.abs().argmax(dim=0, keepdim=True)).sign()
    return (basis * signs).to(g.dtype)


def _rows_basis(g: Tensor, rank: float) -> Tensor:
    return _columns_basis(g.mT, rank)


def _to_right(g: Tensor, basis: Tensor) -> Tensor:
    return g @ basis


def _to_left(g: Tensor, basis: Tensor) -> Tensor:
    return basis.mT @ g


def _back_from_right(x: Tensor, basis: Tensor) -> Tensor:
    return x @ basis.mT


def _back_from_left(x: Tensor, basis: Tensor) -> Tensor:
    return basis @ x


_Function = Callable[..., Tensor]
_SIDES: dict[bool, tuple[_Function, _Function, _Function]] = {
    True: (_rows_basis, _to_right, _back_from_right),
    False: (_columns_basis, _to_left, _back_from_left),
}

_low = matrix(_projected_shape, "rank", "proj_type").of("tall", "wide")


@rule(
    form=_tall_or_wide,
    m=elementwise.of("vector"),
    v=elementwise.non_negative().of("vector"),
    basis=matrix(_basis_shape, "rank", "proj_type").of("tall", "wide"),
    low_m=_low,
    low_v=_low,
)
def galore(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam in the few directions in which the gradient lies, which are sought anew every so often."""
    beta1, beta2 = h.betas
    c1, c2 = 1 - beta1**s.step, 1 - beta2**s.step
    if s.form == "vector":
        s.m = lerp(s.m, g, 1 - beta1)
        s.v = beta2 * s.v + (1 - beta2) * (g * g)
        return w - h.lr / c1 * s.m / (sqrt(s.v / c2) + h.eps)
    basis, to, back = _SIDES[_from_right(s.form, h.proj_type)]
    if (s.step - 1) % h.update_proj_gap == 0:
        s.basis = whole(basis, g, h.rank)
    low = whole(to, g, s.basis)
    s.low_m = lerp(s.low_m, low, 1 - beta1)
    s.low_v = beta2 * s.low_v + (1 - beta2) * (low * low)
    u = s.low_m / (sqrt(s.low_v / c2) + h.eps)
    return w - h.scale * h.lr / c1 * whole(back, u, s.basis)


class GaLore(Method):
    """GaLore: AdamW on the gradient's projection onto the few directions in which most of it lies.

    Equations, in step t of this parameter, for a matrix with more columns than rows::

        P ← the first r left singular vectors of g, whenever t − 1 is a multiple of T
        G = Pᵀ g
        m ← β₁ m + (1 − β₁) G        m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) G²       v̂ = v / (1 − β₂ᵗ)
        w ← (1 − lr·λ) w − lr · α · P (m̂ / (√v̂ + ε))

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: length of a step, of which a matrix takes the share α; 1e-3 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of the projected gradient and its square.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        rank: r ≥ 1: how many directions; a quarter of the smaller side is usual.
        update_proj_gap: T ≥ 1: in how many steps they are sought anew, by a singular value decomposition.
        scale: α ≥ 0: the length of a matrix' step beside that of a vector's.
        proj_type: the side that is projected: ``std`` (the shorter), ``reverse_std`` (the longer), ``left``,
            ``right``.
        maximize: climb instead of descending.

    Memory: of an m × n matrix with m ≤ n, 4 r (m + 2 n) bytes in float32: 1.5 bytes a parameter of
    1024 × 1024 with r = 128; 8 bytes a parameter of whatever is no matrix, which AdamW descends.

    Use it when: matrices are large, gradients of low rank (language models), and memory is short.

    Source: Zhao et al. 2024, arXiv:2403.03507.

    Differs: galore-torch computes singular vectors in float32, whose signs are as they come (here the largest
    number of each is positive), adds ε before the correction of v, and decays after the move. Its projection
    from both sides (``full``) is left out.

    Example:
        >>> import torch
        >>> from descend.methods import GaLore
        >>> w = torch.nn.Parameter(torch.eye(8, 16))
        >>> opt = GaLore([w], lr=0.1, rank=2)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> opt.state[w]["basis"].shape, opt.state[w]["low_m"].shape
        (torch.Size([8, 2]), torch.Size([2, 16]))
    """

    rule: ClassVar = galore
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "G = Pᵀg;  w ← (1 − lr·λ)w − lr·α·P·adam(G)"
    ranges: ClassVar[Mapping] = {
        "rank": ("at least 1", lambda x: x >= 1),
        "update_proj_gap": ("at least 1", lambda x: x >= 1),
        "scale": ("at least 0", lambda x: x >= 0),
    }
    choices: ClassVar[Mapping] = {"proj_type": ("std", "reverse_std", "left", "right")}

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    weight_decay: float = 0.0
    rank: int = 128
    update_proj_gap: int = 200
    scale: float = 0.25
    proj_type: str = "std"
