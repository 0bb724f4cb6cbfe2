"""The residuals of Moré, Garbow & Hillstrom's test problems, for any number of unknowns.

Each takes one point ``x`` of shape (n,) and returns residuals of shape (m,), as those in
:mod:`descend.functions.testing_functions`; n is read off the point.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from descend.functions.sum_of_squares import Residuals
from descend.functions.testing_functions import counted


def rosenbrock(x: Tensor) -> Tensor:
    """10 (x₂ᵢ − x₂ᵢ₋₁²), 1 − x₂ᵢ₋₁ for each pair of an even n."""
    a, b = x.reshape(-1, 2).unbind(-1)
    return torch.stack((10 * (b - a**2), 1 - a), -1).flatten()


def powell_singular(x: Tensor) -> Tensor:
    """x₁ + 10x₂, √5 (x₃ − x₄), (x₂ − 2x₃)², √10 (x₁ − x₄)² for each four of n, a multiple of 4."""
    a, b, c, d = x.reshape(-1, 4).unbind(-1)
    straight = (a + 10 * b, math.sqrt(5) * (c - d))
    return torch.stack((*straight, (b - 2 * c) ** 2, math.sqrt(10) * (a - d) ** 2), -1).flatten()


def watson(x: Tensor) -> Tensor:
    """p′(tᵢ) − p(tᵢ)² − 1 for tᵢ = i/29, i ≤ 29, then x₁ and x₂ − x₁² − 1; p(t) = Σ xⱼ tʲ⁻¹.

    The polynomial p solves the differential equation p′ = 1 + p², p(0) = 0 (whose solution is the tangent)
    by least squares.
    """
    n = len(x)
    powers = (counted(x, 29) / 29)[:, None] ** counted(x, n - 1, first=0)
    slope = powers[:, :-1] @ (counted(x, n - 1) * x[1:])
    ends = torch.stack((x[0], x[1] - x[0] ** 2 - 1))
    return torch.cat((slope - (powers @ x) ** 2 - 1, ends))


def penalty_1(x: Tensor) -> Tensor:
    """√10⁻⁵ (xᵢ − 1), then Σ xⱼ² − ¼."""
    return torch.cat((math.sqrt(1e-5) * (x - 1), (x @ x - 0.25)[None]))


def penalty_2(x: Tensor) -> Tensor:
    """x₁ − 0.2, √10⁻⁵ (eᵢ + eᵢ₋₁ − yᵢ), √10⁻⁵ (eᵢ − e^−0.1) for 2 ≤ i, then Σ (n − j + 1) xⱼ² − 1.

    eᵢ = exp(xᵢ/10), yᵢ = exp(i/10) + exp((i − 1)/10).
    """
    i = counted(x, len(x))
    e, whole = torch.exp(x / 10), torch.exp(i / 10)
    links = e[1:] + e[:-1] - (whole[1:] + whole[:-1])
    small = math.sqrt(1e-5) * torch.cat((links, e[1:] - math.exp(-0.1)))
    return torch.cat(((x[0] - 0.2)[None], small, (i.flip(0) @ x**2 - 1)[None]))


def variably_dimensioned(x: Tensor) -> Tensor:
    """xᵢ − 1, then s and s², s = Σ j (xⱼ − 1)."""
    s = counted(x, len(x)) @ (x - 1)
    return torch.cat((x - 1, torch.stack((s, s**2))))


def trigonometric(x: Tensor) -> Tensor:
    """Σ (1 − cos xⱼ) + i (1 − cos xᵢ) − sin xᵢ, the sum written n − Σ cos xⱼ."""
    cos = torch.cos(x)
    return len(x) - cos.sum() + counted(x, len(x)) * (1 - cos) - torch.sin(x)


def brown_almost_linear(x: Tensor) -> Tensor:
    """xᵢ + Σ xⱼ − (n + 1) for i < n, then Π xⱼ − 1."""
    return torch.cat((x[:-1] + x.sum() - (len(x) + 1), (x.prod() - 1)[None]))


def discrete_boundary_value(x: Tensor) -> Tensor:
    """2xᵢ − xᵢ₋₁ − xᵢ₊₁ + h² (xᵢ + tᵢ + 1)³/2, tᵢ = ih, h = 1/(n + 1), x₀ = xₙ₊₁ = 0.

    Differences for u″ = (u + t + 1)³/2, u(0) = u(1) = 0.
    """
    h = 1 / (len(x) + 1)
    t = h * counted(x, len(x))
    ends = F.pad(x, (1, 1))
    return 2 * x - ends[:-2] - ends[2:] + h**2 * (x + t + 1) ** 3 / 2


def discrete_integral_equation(x: Tensor) -> Tensor:
    """xᵢ + (h/2) Σⱼ min(tᵢ, tⱼ) (1 − max(tᵢ, tⱼ)) (xⱼ + tⱼ + 1)³, tᵢ = ih, h = 1/(n + 1).

    The same boundary value problem through its Green's function.
    """
    h = 1 / (len(x) + 1)
    t = h * counted(x, len(x))
    kernel = torch.minimum(t[:, None], t) * (1 - torch.maximum(t[:, None], t))
    return x + h / 2 * (kernel @ (x + t + 1) ** 3)


def broyden_tridiagonal(x: Tensor) -> Tensor:
    """(3 − 2xᵢ) xᵢ − xᵢ₋₁ − 2xᵢ₊₁ + 1, x₀ = xₙ₊₁ = 0."""
    ends = F.pad(x, (1, 1))
    return (3 - 2 * x) * x - ends[:-2] - 2 * ends[2:] + 1


def broyden_banded(x: Tensor) -> Tensor:
    """xᵢ (2 + 5xᵢ²) + 1 − Σⱼ xⱼ (1 + xⱼ) over i − 5 ≤ j ≤ i + 1, j ≠ i."""
    like_x = {"dtype": x.dtype, "device": x.device}
    band = torch.ones(len(x), len(x), **like_x).triu(-5).tril(1) - torch.eye(len(x), **like_x)
    return x * (2 + 5 * x**2) + 1 - band @ (x * (1 + x))


def linear_full_rank(m: int) -> Residuals:
    """xᵢ − (2/m) Σ xⱼ − 1 for i ≤ n, −(2/m) Σ xⱼ − 1 for the rest of ``m``."""
    return lambda x: F.pad(x, (0, m - len(x))) - 2 / m * x.sum() - 1


def linear_rank_1(m: int) -> Residuals:
    """−1 + i Σ j xⱼ, i ≤ ``m``."""
    return lambda x: counted(x, m) * (counted(x, len(x)) @ x) - 1


def linear_rank_1_with_zeros(m: int) -> Residuals:
    """(i − 1) Σ j xⱼ − 1 over 1 < j < n for 1 < i < ``m``, and −1 for the first and the last."""

    def residuals(x: Tensor) -> Tensor:
        inner = counted(x, len(x) - 1, first=2) @ x[1:-1]
        return F.pad(counted(x, m - 2), (1, 1)) * inner - 1

    return residuals


def chebyquad(x: Tensor) -> Tensor:
    """The mean of Tᵢ over the points less its integral over [0, 1], i ≤ n: 0 for odd i, 1/(1 − i²) for even.

    Tᵢ is the Chebyshev polynomial shifted to [0, 1]. Where all are 0, the points are those of Chebyshev's
    quadrature with equal weights.
    """
    n = len(x)
    before, here = torch.ones_like(x), 2 * x - 1
    means = [here.mean()]
    for _ in range(n - 1):
        before, here = here, 2 * (2 * x - 1) * here - before
        means.append(here.mean())
    integrals = [0.0 if i % 2 else 1 / (1 - i**2) for i in range(1, n + 1)]
    return torch.stack(means) - torch.tensor(integrals, dtype=x.dtype, device=x.device)
