"""Steps of a fixed length in a norm that suits each kind of parameter."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from descend.methods.equations import lerp, mean, sign, sqrt, whole
from descend.methods.method import Method
from descend.methods.muon import COEFFICIENTS, ITERATION
from descend.methods.orthogonalise import each_orthogonal, orthogonal
from descend.methods.rule import elementwise, one_a_tensor, rule

_EPS = 1e-8  # the authors', beside the size of a row or column


def shape_of(w: Tensor) -> str:
    """Sort parameters by what the authors' ``Auto`` does with them."""
    return "vector" if w.ndim < 2 else "matrix" if w.ndim == 2 else "convolution"


def radius_of(x: Tensor, normalized: float, most: float) -> float:
    """Return the spectral norm of a step: √(out/in), so that it changes outputs of size 1 by about 1."""
    rows, columns, kernel = x.shape[0], x.shape[1], x.shape[2:].numel()
    if x.ndim > 2:
        return (rows / columns) ** 0.5 / kernel
    radius = (rows / columns) ** 0.5 if normalized else rows**0.5
    return max(1.0, radius) if most else radius


def spectral(
    x: Tensor, a: float, b: float, c: float, eps: float, steps: float, normalized: float, most: float
) -> Tensor:
    """Return the nearest orthogonal matrix, at the length for its shape."""
    return orthogonal(x.flatten(1), a, b, c, eps, steps, radius_of(x, normalized, most)).view(x.shape)


def each_spectral(xs: list[Tensor], *numbers: float) -> list[Tensor]:
    """Do the same with a list, those of one shape together."""
    *first, normalized, most = numbers
    radii = [radius_of(x, normalized, most) for x in xs]
    found = each_orthogonal([x.flatten(1) for x in xs], *first, scales=radii)
    return [y.view(x.shape) for x, y in zip(xs, found, strict=True)]


spectral.batched = each_spectral  # type: ignore[attr-defined]


def lines(x: Tensor, dim: float, normalized: float) -> Tensor:
    """Bring every column (dim 0) or row (dim 1) to length √out, or 1; in all to a share of it."""
    return _lines(x.flatten(1), dim, normalized).view(x.shape)


def each_lines(x: Tensor, dim: float, normalized: float) -> Tensor:
    """Do the same with each of a stack."""
    return _lines(x.flatten(2), dim, normalized).view(x.shape)


lines.stacked = each_lines  # type: ignore[attr-defined]


def _lines(y: Tensor, dim: float, normalized: float) -> Tensor:
    m, n = y.shape[-2:]
    size = torch.linalg.vector_norm(y, dim=int(dim) - 2, keepdim=True)
    if dim == 0:
        size = size / m**0.5 * (n if normalized else 1)
    else:
        size = size * (n**0.5 if normalized else 1)
    return y / (size + _EPS)


def one_over_inputs(w: Tensor) -> Tensor:
    """Return 1 / the number of inputs."""
    return torch.tensor(w.shape[0] / max(1, w.numel()), dtype=w.dtype, device=w.device)


@rule(form=shape_of, m=elementwise.when("momentum"))
def scion(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Go to (or towards) the point of a ball that is farthest along the mean gradient."""
    if h.momentum:
        s.m = m = lerp(s.m, g, 1 - h.momentum)
    else:
        m = g
    if h.norm == "sign":
        d = sign(m)
        if h.normalized and s.form != "vector":
            d = d * whole(one_over_inputs, w, gives=one_a_tensor)
    elif s.form == "vector" or h.norm == "rms":
        d = m / (sqrt(mean(m * m)) + _EPS)
    elif h.norm in ("column", "row"):
        d = whole(lines, m, h.norm == "row", h.normalized)
    else:
        d = whole(spectral, m, *h.ns_coefficients, h.eps, h.ns_steps, h.normalized, h.max)
    if not h.unconstrained:
        w = w * (1 - h.lr)
    return w - h.lr * h.scale * d


def usual_routes(h: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the norm and radius of embeddings and heads, as the authors have them for language models."""
    apart = {} if h["norm"] != "auto" else {"norm": "sign", "scale": 60 * h["scale"]}
    return {"embedding": apart, "head": apart}


def suggested(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the authors' radius and rate for language models."""
    return {} if "lr" in given or "scale" in given else {"scale": 50.0, "lr": 2.0**-12}


class Scion(Method):
    """Scion: steps of a fixed length, in the norm that suits each kind of parameter.

    Equations; D(m) is the point of the unit ball farthest along m::

        m ← μ m + (1 − μ) g
        w ← (1 − lr) w − lr · ρ D(m)         (unconstrained: w ← w − lr · ρ D(m))

        spectral   D = √(out/in) U Vᵀ of a matrix m = U S Vᵀ; a convolution's: / the size of its kernel
        sign       D = sign(m) / in
        rms        D = m / RMS(m)
        column     D = m with columns of RMS 1
        row        D = m with rows of length 1/√in

    Args:
        params: parameters, or groups of them; ``descend.optimizer("scion", model)`` takes ``sign`` for
            embeddings and the last layer, at sixty times the radius, as the authors for language models.
        lr: in [0, 1]; the authors' 2⁻¹² (language models) to 2⁻⁴ (small convolutional networks).
        momentum: μ in [0, 1).
        norm: ``auto`` (spectral for matrices and convolutions, rms for vectors) or one of the above.
        normalized: the factors with in above; false for the first layer: spectral √out, sign 1, row 1,
            column (authors' default: false) × in.
        max: never let the factor of ``spectral`` be below 1: the authors' first layer of an MLP.
        scale: ρ > 0: the radius; parameters stay within it unless unconstrained.
        unconstrained: descend freely, instead of in the ball.
        ns_coefficients, eps, ns_steps: of Newton and Schulz's iteration, as in :class:`Muon`.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter (none with momentum 0).

    Use it when: learning rates are to carry over from a narrow network to a wide one, or parameters must
    stay bounded. Wants its own radius for each kind of layer.

    Source: Pethick et al. 2025, arXiv:2502.07529. Equal to the authors' code but for the rounding of U Vᵀ.

    Differs: momentum is torch's, the share that is kept; the authors' is one minus this, and 1 (none) by
    default. ``rms`` is that of the whole tensor; of vectors ``sign`` is plain sign(m), and ``spectral``,
    ``column`` and ``row`` are ``rms``.

    Example:
        >>> import torch, descend
        >>> layer = torch.nn.Linear(4, 4)
        >>> opt = descend.methods.Scion(layer.parameters(), lr=0.01, scale=10)
        >>> layer(torch.ones(1, 4)).sum().backward()
        >>> opt.step()
    """

    rule: ClassVar = scion
    equation: ClassVar = "m ← μm + (1 − μ)g;  w ← (1 − lr)w − lr·ρ·D(m)"
    routes: ClassVar = staticmethod(usual_routes)
    suggested: ClassVar = staticmethod(suggested)
    choices: ClassVar = {"norm": ("auto", "spectral", "sign", "rms", "column", "row")}
    ranges: ClassVar = {**ITERATION, "scale": ("above 0", lambda x: x > 0)}

    lr: float = 1e-3
    momentum: float = 0.9
    norm: str = "auto"
    normalized: bool = True
    max: bool = False
    scale: float = 1.0
    unconstrained: bool = False
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS
    eps: float = 1e-7
    ns_steps: int = 5
