"""The residuals of Moré, Garbow & Hillstrom's test problems, where the number of unknowns is fixed.

Each takes one point ``x`` of shape (n,) and returns residuals of shape (m,), in ``x``'s dtype and on its
device; what is minimised is the sum of their squares. Batches come by ``torch.func.vmap``. The starts, the
minima and the sources stand in :mod:`descend.functions.testing_table`.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def _as(x: Tensor, values: Sequence[float]) -> Tensor:
    """Return measured values in the dtype of ``x`` and on its device."""
    return torch.tensor(values, dtype=x.dtype, device=x.device)


def counted(x: Tensor, last: int, first: int = 1) -> Tensor:
    """Return first, ..., last in the dtype of ``x`` and on its device."""
    return torch.arange(first, last + 1, dtype=x.dtype, device=x.device)


def freudenstein_roth(x: Tensor) -> Tensor:
    """−13 + x₁ + ((5 − x₂) x₂ − 2) x₂, −29 + x₁ + ((x₂ + 1) x₂ − 14) x₂."""
    a, b = x.unbind()
    return torch.stack((-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b))


def powell_badly_scaled(x: Tensor) -> Tensor:
    """10⁴ x₁x₂ − 1, e^−x₁ + e^−x₂ − 1.0001."""
    a, b = x.unbind()
    return torch.stack((1e4 * a * b - 1, torch.exp(-a) + torch.exp(-b) - 1.0001))


def brown_badly_scaled(x: Tensor) -> Tensor:
    """x₁ − 10⁶, x₂ − 2·10⁻⁶, x₁x₂ − 2."""
    a, b = x.unbind()
    return torch.stack((a - 1e6, b - 2e-6, a * b - 2))


def beale(x: Tensor) -> Tensor:
    """yᵢ − x₁ (1 − x₂ⁱ), i ≤ 3."""
    a, b = x.unbind()
    return _as(x, (1.5, 2.25, 2.625)) - a * (1 - torch.stack((b, b**2, b**3)))


def jennrich_sampson(x: Tensor) -> Tensor:
    """2 + 2i − (e^(i x₁) + e^(i x₂)), i ≤ 10."""
    a, b = x.unbind()
    i = counted(x, 10)
    return 2 + 2 * i - (torch.exp(i * a) + torch.exp(i * b))


def helical_valley(x: Tensor) -> Tensor:
    """10 (x₃ − 10θ), 10 (r − 1), x₃: θ is the turn and r the distance of (x₁, x₂).

    The paper's θ is arctan(x₂/x₁)/2π, and half a turn more where x₁ < 0: from −¼ to ¾, with its one jump
    on the ray of negative x₂. An arctangent of two arguments, turned by a quarter, is the same without a
    division by x₁.
    """
    a, b, c = x.unbind()
    turn = 0.25 + torch.atan2(-a, b) / (2 * math.pi)
    return torch.stack((10 * (c - 10 * turn), 10 * (torch.linalg.vector_norm(x[:2]) - 1), c))


def bard(x: Tensor) -> Tensor:
    """yᵢ − (x₁ + i / ((16 − i) x₂ + min(i, 16 − i) x₃)), i ≤ 15."""
    a, b, c = x.unbind()
    y = _as(x, (0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39))
    u = counted(x, 15)
    v = 16 - u
    return y - (a + u / (v * b + torch.minimum(u, v) * c))


def gaussian(x: Tensor) -> Tensor:
    """x₁ exp(−x₂ (tᵢ − x₃)²/2) − yᵢ, tᵢ = (8 − i)/2, i ≤ 15."""
    a, b, c = x.unbind()
    rising = (0.0009, 0.0044, 0.0175, 0.054, 0.1295, 0.242, 0.3521)
    y = _as(x, (*rising, 0.3989, *reversed(rising)))
    t = (8 - counted(x, 15)) / 2
    return a * torch.exp(-b * (t - c) ** 2 / 2) - y


def meyer(x: Tensor) -> Tensor:
    """x₁ exp(x₂/(tᵢ + x₃)) − yᵢ, tᵢ = 45 + 5i, i ≤ 16: the resistance of a thermistor (Ω) by °C."""
    a, b, c = x.unbind()
    hotter = (34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744)
    hot = (8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872)
    t = 45 + 5 * counted(x, 16)
    return a * torch.exp(b / (t + c)) - _as(x, (*hotter, *hot))


def gulf(x: Tensor) -> Tensor:
    """exp(−|yᵢ − x₂|^x₃ / x₁) − tᵢ, yᵢ = 25 + (−50 log tᵢ)^⅔, tᵢ = i/100, i ≤ 99.

    The paper prints yᵢ m i x₂ for the difference: a misprint, under which (50, 25, 1.5) is no minimiser.
    This is as in the authors' Fortran (ACM Algorithm 566).
    """
    a, b, c = x.unbind()
    t = counted(x, 99) / 100
    y = 25 + (-50 * torch.log(t)) ** (2 / 3)
    return torch.exp(-((y - b).abs() ** c) / a) - t


def box(x: Tensor) -> Tensor:
    """e^(−tᵢx₁) − e^(−tᵢx₂) − x₃ (e^−tᵢ − e^−10tᵢ), tᵢ = i/10, i ≤ 10."""
    a, b, c = x.unbind()
    t = counted(x, 10) / 10
    return torch.exp(-t * a) - torch.exp(-t * b) - c * (torch.exp(-t) - torch.exp(-10 * t))


def wood(x: Tensor) -> Tensor:
    """Two Rosenbrock valleys, coupled by √10 (x₂ + x₄ − 2) and (x₂ − x₄)/√10."""
    a, b, c, d = x.unbind()
    near = (10 * (b - a**2), 1 - a)
    far = (math.sqrt(90) * (d - c**2), 1 - c)
    return torch.stack((*near, *far, math.sqrt(10) * (b + d - 2), (b - d) / math.sqrt(10)))


def kowalik_osborne(x: Tensor) -> Tensor:
    """yᵢ − x₁ (uᵢ² + uᵢx₂) / (uᵢ² + uᵢx₃ + x₄), i ≤ 11."""
    a, b, c, d = x.unbind()
    y = _as(x, (0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246))
    u = _as(x, (4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625))
    return y - a * (u**2 + u * b) / (u**2 + u * c + d)


def brown_dennis(x: Tensor) -> Tensor:
    """(x₁ + tᵢx₂ − e^tᵢ)² + (x₃ + x₄ sin tᵢ − cos tᵢ)², tᵢ = i/5, i ≤ 20."""
    a, b, c, d = x.unbind()
    t = counted(x, 20) / 5
    return (a + t * b - torch.exp(t)) ** 2 + (c + d * torch.sin(t) - torch.cos(t)) ** 2


_OSBORNE_1 = (
    *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
    *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
    *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
)


def osborne_1(x: Tensor) -> Tensor:
    """yᵢ − (x₁ + x₂ e^(−tᵢx₄) + x₃ e^(−tᵢx₅)), tᵢ = 10 (i − 1), i ≤ 33."""
    a, b, c, d, e = x.unbind()
    t = 10 * counted(x, 32, first=0)
    return _as(x, _OSBORNE_1) - (a + b * torch.exp(-t * d) + c * torch.exp(-t * e))


def biggs_exp6(x: Tensor) -> Tensor:
    """x₃ e^(−tᵢx₁) − x₄ e^(−tᵢx₂) + x₆ e^(−tᵢx₅) − yᵢ, tᵢ = i/10, i ≤ 13.

    yᵢ = e^−tᵢ − 5 e^−10tᵢ + 3 e^−4tᵢ.
    """
    a, b, c, d, e, f = x.unbind()
    t = counted(x, 13) / 10
    y = torch.exp(-t) - 5 * torch.exp(-10 * t) + 3 * torch.exp(-4 * t)
    return c * torch.exp(-t * a) - d * torch.exp(-t * b) + f * torch.exp(-t * e) - y


_OSBORNE_2 = (
    *(1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608),
    *(0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661),
    *(0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428),
    *(0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559),
    *(0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054),
)


def osborne_2(x: Tensor) -> Tensor:
    """yᵢ − (x₁ e^(−tᵢx₅) + Σₖ x₁₊ₖ exp(−(tᵢ − x₈₊ₖ)² x₅₊ₖ)), k ≤ 3, tᵢ = (i − 1)/10, i ≤ 65."""
    t = counted(x, 64, first=0)[:, None] / 10
    decay = x[0] * torch.exp(-t[:, 0] * x[4])
    bells = x[1:4] * torch.exp(-((t - x[8:11]) ** 2) * x[5:8])
    return _as(x, _OSBORNE_2) - (decay + bells.sum(-1))
