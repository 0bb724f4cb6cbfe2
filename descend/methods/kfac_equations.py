"""K-FAC's equations for one layer, as functions of its matrices."""

import torch
from torch import Tensor


def due(done: int, period: int) -> bool:
    """Whether rare work is due when so many steps are done: every ``period`` steps, and sooner at first.

    The first statistics come from one batch, and the network changes fastest: they are renewed after 1, 2, 4,
    ... steps.

    Example:
        >>> [n for n in range(41) if due(n, 20)]
        [0, 1, 2, 4, 8, 16, 20, 40]
    """
    return done % period == 0 or (done < period and done & (done - 1) == 0)


def joint(g: Tensor, bias: Tensor | None) -> Tensor:
    """Return a layer's matrix, of shape (m, n + 1): the weight's, and the bias's as the last column."""
    g = g.flatten(1)
    last = g.new_zeros(len(g), 1) if bias is None else bias.unsqueeze(1)
    return torch.cat([g, last], 1)


def damped_inverses(a: Tensor, g: Tensor, damping: float, bias: bool = True) -> tuple[Tensor, Tensor]:
    """Return (A + π√λ I)⁻¹ and (G + √λ/π I)⁻¹.

    Their product is (A ⊗ G + λ I + ...)⁻¹; π = √((tr A/n) / (tr G/m)) divides the damping between the two so
    that what it adds beyond λ I is least (Martens & Grosse 2015, section 6.3).

    Args:
        a: A, of shape (n + 1, n + 1).
        g: G, of shape (m, m).
        damping: λ.
        bias: whether the last row and column of A are those of a bias, and count.
    """
    sizes = len(a) - (not bias), len(g)
    pi = ((a.trace() / sizes[0]) / (g.trace() / sizes[1])).sqrt()
    pi = torch.where(pi.isfinite() & (pi > 0), pi, 1.0)
    root = damping**0.5
    return _inverse(a, root * pi), _inverse(g, root / pi)


def _inverse(x: Tensor, damping: Tensor) -> Tensor:
    """Return (x + damping I)⁻¹; not a number where x has such, as the parameter is going to be."""
    damped = x.clone()
    damped.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(damped)
    if failed:  # on a GPU this waits for it
        factor, failed = torch.linalg.cholesky_ex(damped.double())
    # In the order in which it is read from a file: another order is other rounding.
    found = torch.cholesky_inverse(factor).to(x.dtype).contiguous()
    return found.fill_(torch.nan) if failed else found


def natural(gradient: Tensor, inverse_a: Tensor, inverse_g: Tensor) -> Tensor:
    """Return the natural gradient G⁻¹ g A⁻¹ of a layer's matrix (W, bias), of shape (m, n + 1)."""
    return inverse_g @ gradient @ inverse_a


def trust(squared: Tensor, kl_clip: float) -> Tensor:
    """Return ν = min(1, √(κ / lr²⟨ĝ, g⟩)): lr²⟨ĝ, g⟩ is twice the divergence that a step of lr·ĝ comes to."""
    return (kl_clip / squared).sqrt().clamp_max(1.0)
