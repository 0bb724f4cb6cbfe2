"""Adam's nearest kin: with Nesterov's look ahead, and with its first steps rectified."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, sqrt
from descend.methods.method import Method
from descend.methods.modifiers import either_decay
from descend.methods.rule import elementwise, one_a_tensor, rule


@rule(m=elementwise, v=elementwise.non_negative(), mu_product=one_a_tensor.starting(1.0))
def nadam(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam whose momentum warms up, and is taken where it leads."""
    beta1, beta2 = h.betas
    mu = beta1 * (1 - 0.5 * 0.96 ** (s.step * h.momentum_decay))
    ahead = beta1 * (1 - 0.5 * 0.96 ** ((s.step + 1) * h.momentum_decay))
    s.mu_product = s.mu_product * mu  # a product of all μ so far, which may have been scheduled
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    m = g * ((1 - mu) / (1 - s.mu_product)) + s.m * (ahead / (1 - s.mu_product * ahead))
    return w - h.lr * m / (sqrt(s.v / (1 - beta2**s.step)) + h.eps)


@rule(m=elementwise, v=elementwise.non_negative())
def radam(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam, once its mean of squares has seen enough gradients; until then momentum alone."""
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    m = s.m / (1 - beta1**s.step)
    most = 2 / (1 - beta2) - 1
    seen = most - 2 * s.step * beta2**s.step / (1 - beta2**s.step)
    if seen > 5:
        rectified = ((seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen)) ** 0.5
        m = rectified * (1 - beta2**s.step) ** 0.5 * m / (sqrt(s.v) + h.eps)
    return w - h.lr * m


class NAdam(Method):
    """NAdam: Adam with Nesterov's momentum, and a momentum that warms up.

    Equations, in step t of this parameter::

        μ  = β₁ (1 − ½ · 0.96^(t ψ))         (ψ: momentum_decay; μ′ the same at t + 1)
        Π ← Π μ                               (1 at first)
        m ← β₁ m + (1 − β₁) g
        v ← β₂ v + (1 − β₂) g²               v̂ = v / (1 − β₂ᵗ)
        w ← w − lr · (μ′ m / (1 − Π μ′) + (1 − μ) g / (1 − Π)) / (√v̂ + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate, ≥ 0; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotient finite; outside the root, after the correction of v.
        weight_decay: λ ≥ 0, coupled (g ← g + λ w) unless ``decoupled_weight_decay``.
        momentum_decay: ψ ≥ 0: how fast μ rises from β₁/2 to β₁; with 0.004 within some 20,000 steps.
        decoupled_weight_decay: take the share lr·λ off w instead, as AdamW.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter, and one number a tensor.

    Use it when: Adam works and you want a little more speed early on; the gain over Adam is small and not
    certain.

    Source: Dozat 2016, ICLR workshop, "Incorporating Nesterov Momentum into Adam". Equal to
    ``torch.optim.NAdam``.

    Differs: Π is kept in float64 for float64 parameters; torch keeps it in float32 unless that is not its
    default, which costs 1e-7 of a step.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.NAdam([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.8944])
    """

    rule: ClassVar = nadam
    decay: ClassVar = either_decay
    equation: ClassVar = "w ← w − lr·(μ′m/(1 − Πμ′) + (1 − μ)g/(1 − Π))/(√v̂ + ε)"

    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 4e-3
    decoupled_weight_decay: bool = False


class RAdam(Method):
    """RAdam: Adam that warms itself up, as far as its mean of squares can be trusted.

    Equations, in step t of this parameter::

        m ← β₁ m + (1 − β₁) g                m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²
        ρ∞ = 2 / (1 − β₂) − 1                ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        where ρ > 5:
            r = √((ρ − 4)(ρ − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ))
            w ← w − lr · r · m̂ · √(1 − β₂ᵗ) / (√v + ε)
        otherwise:
            w ← w − lr · m̂

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate, ≥ 0; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1); with β₂ ≤ 2/3 steps are never divided by √v.
        eps: ε ≥ 0: keeps the quotient finite; outside the root, before the correction of v.
        weight_decay: λ ≥ 0, coupled (g ← g + λ w) unless ``decoupled_weight_decay``.
        decoupled_weight_decay: take the share lr·λ off w instead, as AdamW.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: Adam diverges at first and you would rather not add a warm-up. Its first five steps (for
    β₂ = 0.999) are plain momentum at the same lr, so that their length is the gradient's.

    Source: Liu et al. 2020, arXiv:1908.03265. Equal to ``torch.optim.RAdam``.

    Differs: as torch, it adds ε, which the paper leaves out, and rectifies above 5 instead of 4, as the
    authors' code does.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.RAdam([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.8000])
    """

    rule: ClassVar = radam
    decay: ClassVar = either_decay
    equation: ClassVar = "w ← w − lr·r·m̂/(√v̂ + ε), or w − lr·m̂ where v is still too young"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decoupled_weight_decay: bool = False
