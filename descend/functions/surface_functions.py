"""The equations of the surfaces.

Each takes points ``x`` of shape (..., d) and returns values of shape (...), in ``x``'s dtype and on its
device, so that a landscape is one call on a grid of shape (height, width, 2). The minima, starts and
sources stand in :mod:`descend.functions.surfaces`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def _counted(x: Tensor) -> Tensor:
    """Return 1, 2, ..., d."""
    return torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)


def sphere(x: Tensor) -> Tensor:
    """Σ xᵢ²."""
    return (x * x).sum(-1)


def quadratic(dimension: int, condition: float, rotated: bool) -> Function:
    """½ xᵀ Q diag(λ) Qᵀ x, with λ spaced evenly in the logarithm from 1 to ``condition``.

    Q is the orthonormal cosine basis (in two dimensions a turn by 45°), so that no coordinate is an
    eigenvector and methods that scale each coordinate by itself gain nothing; without ``rotated`` it
    is the identity, and they gain everything.
    """
    i = torch.arange(dimension, dtype=torch.float64)
    eigenvalues = condition ** (i / max(dimension - 1, 1))
    basis = torch.cos(math.pi / dimension * (i[:, None] + 0.5) * i) * math.sqrt(2 / dimension)
    basis[:, 0] /= math.sqrt(2)

    def value(x: Tensor) -> Tensor:
        y = x @ basis.to(x) if rotated else x
        return 0.5 * (eigenvalues.to(x) * y * y).sum(-1)

    return value


def booth(x: Tensor) -> Tensor:
    """(x + 2y − 7)² + (2x + y − 5)²."""
    x, y = x.unbind(-1)
    return (x + 2 * y - 7) ** 2 + (2 * x + y - 5) ** 2


def matyas(x: Tensor) -> Tensor:
    """0.26 (x² + y²) − 0.48 xy."""
    x, y = x.unbind(-1)
    return 0.26 * (x * x + y * y) - 0.48 * x * y


def zakharov(x: Tensor) -> Tensor:
    """Σ xᵢ² + s² + s⁴, s = ½ Σ i xᵢ."""
    s = 0.5 * (_counted(x) * x).sum(-1)
    return (x * x).sum(-1) + s**2 + s**4


def absolute(x: Tensor) -> Tensor:
    """Σ |xᵢ|."""
    return x.abs().sum(-1)


def rosenbrock(x: Tensor) -> Tensor:
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²."""
    here, next = x[..., :-1], x[..., 1:]
    return (100 * (next - here**2) ** 2 + (1 - here) ** 2).sum(-1)


def beale(x: Tensor) -> Tensor:
    """(1.5 − x + xy)² + (2.25 − x + xy²)² + (2.625 − x + xy³)²."""
    x, y = x.unbind(-1)
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def wood(x: Tensor) -> Tensor:
    """Two Rosenbrock valleys coupled by 10.1 ((x₂ − 1)² + (x₄ − 1)²) + 19.8 (x₂ − 1)(x₄ − 1)."""
    a, b, c, d = x.unbind(-1)
    valleys = 100 * (b - a**2) ** 2 + (1 - a) ** 2 + 90 * (d - c**2) ** 2 + (1 - c) ** 2
    return valleys + 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1)


def powell(x: Tensor) -> Tensor:
    """(x₁ + 10x₂)² + 5 (x₃ − x₄)² + (x₂ − 2x₃)⁴ + 10 (x₁ − x₄)⁴."""
    a, b, c, d = x.unbind(-1)
    return (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4


def dixon_price(x: Tensor) -> Tensor:
    """(x₁ − 1)² + Σᵢ₌₂ i (2xᵢ² − xᵢ₋₁)²."""
    links = _counted(x)[1:] * (2 * x[..., 1:] ** 2 - x[..., :-1]) ** 2
    return (x[..., 0] - 1) ** 2 + links.sum(-1)


def saddle(x: Tensor) -> Tensor:
    """½x² − ½y² + ¼y⁴."""
    x, y = x.unbind(-1)
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


def monkey_saddle(x: Tensor) -> Tensor:
    """x³ − 3xy² + ¾ (x² + y²)²; in polar coordinates r³ cos 3θ + ¾ r⁴."""
    x, y = x.unbind(-1)
    return x**3 - 3 * x * y**2 + 0.75 * (x**2 + y**2) ** 2


def himmelblau(x: Tensor) -> Tensor:
    """(x² + y − 11)² + (x + y² − 7)²."""
    x, y = x.unbind(-1)
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def three_hump_camel(x: Tensor) -> Tensor:
    """2x² − 1.05x⁴ + x⁶/6 + xy + y²."""
    x, y = x.unbind(-1)
    return 2 * x**2 - 1.05 * x**4 + x**6 / 6 + x * y + y**2


def six_hump_camel(x: Tensor) -> Tensor:
    """(4 − 2.1x² + x⁴/3) x² + xy + (4y² − 4) y²."""
    x, y = x.unbind(-1)
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2


def branin(x: Tensor) -> Tensor:
    """(y − 5.1x²/4π² + 5x/π − 6)² + 10 (1 − 1/8π) cos x + 10."""
    x, y = x.unbind(-1)
    valley = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
    return valley + 10 * (1 - 1 / (8 * math.pi)) * torch.cos(x) + 10


def mccormick(x: Tensor) -> Tensor:
    """sin(x + y) + (x − y)² − 1.5x + 2.5y + 1."""
    x, y = x.unbind(-1)
    return torch.sin(x + y) + (x - y) ** 2 - 1.5 * x + 2.5 * y + 1


def goldstein_price(x: Tensor) -> Tensor:
    """Two quartic factors whose product runs over six powers of ten within the bounds."""
    x, y = x.unbind(-1)
    a = (x + y + 1) ** 2 * (19 - 14 * x + 3 * x**2 - 14 * y + 6 * x * y + 3 * y**2)
    b = (2 * x - 3 * y) ** 2 * (18 - 32 * x + 12 * x**2 + 48 * y - 36 * x * y + 27 * y**2)
    return (1 + a) * (30 + b)


def styblinski_tang(x: Tensor) -> Tensor:
    """½ Σ xᵢ⁴ − 16xᵢ² + 5xᵢ."""
    return 0.5 * (x**4 - 16 * x**2 + 5 * x).sum(-1)


def bohachevsky(x: Tensor) -> Tensor:
    """x² + 2y² − 0.3 cos 3πx − 0.4 cos 4πy + 0.7."""
    x, y = x.unbind(-1)
    waves = 0.3 * torch.cos(3 * math.pi * x) + 0.4 * torch.cos(4 * math.pi * y)
    return x**2 + 2 * y**2 - waves + 0.7


def rastrigin(x: Tensor) -> Tensor:
    """10d + Σ xᵢ² − 10 cos 2πxᵢ."""
    return (10 + x**2 - 10 * torch.cos(2 * math.pi * x)).sum(-1)


def ackley(x: Tensor) -> Tensor:
    """20 + e − 20 exp(−0.2 √(mean xᵢ²)) − exp(mean cos 2πxᵢ)."""
    # vector_norm's gradient at the origin is 0; a square root's would be nan.
    distance = torch.linalg.vector_norm(x, dim=-1) / math.sqrt(x.shape[-1])
    return 20 + math.e - 20 * torch.exp(-0.2 * distance) - torch.exp(torch.cos(2 * math.pi * x).mean(-1))


def griewank(x: Tensor) -> Tensor:
    """1 + Σ xᵢ²/4000 − Π cos(xᵢ/√i)."""
    return 1 + (x * x).sum(-1) / 4000 - torch.cos(x / _counted(x).sqrt()).prod(-1)


def levy(x: Tensor) -> Tensor:
    """sin² πw₁ + Σ (wᵢ − 1)² (1 + 10 sin²(πwᵢ + 1)) + (w_d − 1)² (1 + sin² 2πw_d), w = 1 + (x − 1)/4."""
    w = 1 + (x - 1) / 4
    first, inner, last = w[..., 0], w[..., :-1], w[..., -1]
    middle = (inner - 1) ** 2 * (1 + 10 * torch.sin(math.pi * inner + 1) ** 2)
    end = (last - 1) ** 2 * (1 + torch.sin(2 * math.pi * last) ** 2)
    return torch.sin(math.pi * first) ** 2 + middle.sum(-1) + end


def easom(x: Tensor) -> Tensor:
    """−cos x cos y exp(−(x − π)² − (y − π)²)."""
    x, y = x.unbind(-1)
    return -torch.cos(x) * torch.cos(y) * torch.exp(-((x - math.pi) ** 2) - (y - math.pi) ** 2)
