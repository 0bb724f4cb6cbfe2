"""Adam and its relatives: steps measured by the gradient's own recent size."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, maximum, sqrt
from descend.methods.method import Method
from descend.methods.modifiers import coupled_decay, decoupled_decay
from descend.methods.rule import elementwise, rule


@rule(m=elementwise, v=elementwise.non_negative(), peak=elementwise.non_negative().when("amsgrad"))
def adam(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide the mean gradient by the root of the mean squared gradient, both corrected for their start."""
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    if h.amsgrad:
        s.peak = maximum(s.peak, s.v)
    m = s.m / (1 - beta1**s.step)
    v = (s.peak if h.amsgrad else s.v) / (1 - beta2**s.step)
    return w - h.lr * m / (sqrt(v) + h.eps)


class Adam(Method):
    """Adam: adaptive moments, with weight decay inside the gradient.

    Equations, in step t of this parameter::

        m ← β₁ m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)      (amsgrad: the largest v so far)
        w ← w − lr · m̂ / (√v̂ + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotient finite, and damps coordinates with gradients below it.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        amsgrad: never let the denominator shrink (Reddi et al. 2018, arXiv:1904.09237).
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter (12 with amsgrad).

    Use it when: there is no weight decay, or code for ``torch.optim.Adam`` is to give the same numbers;
    with weight decay AdamW is the better form.

    Source: Kingma & Ba 2015, arXiv:1412.6980. Equal to ``torch.optim.Adam``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.Adam([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = adam
    decay: ClassVar = coupled_decay
    equation: ClassVar = "w ← w − lr·m̂/(√v̂ + ε)"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False


class AdamW(Method):
    """AdamW: Adam with weight decay beside the gradient, the default of most networks today.

    Equations, in step t of this parameter::

        m ← β₁ m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)      (amsgrad: the largest v so far)
        w ← (1 − lr·λ) w − lr · m̂ / (√v̂ + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotient finite, and damps coordinates with gradients below it.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        amsgrad: never let the denominator shrink.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter (12 with amsgrad).

    Use it when: in doubt. It needs the least tuning of what is widely used, and is what others are
    compared with.

    Source: Loshchilov & Hutter 2019, arXiv:1711.05101. Equal to ``torch.optim.AdamW``.

    Example:
        >>> import torch, descend
        >>> model = torch.nn.Linear(2, 1)
        >>> opt = descend.AdamW(model.parameters(), lr=1e-3)
        >>> opt.param_groups[0]["betas"]
        (0.9, 0.999)
    """

    rule: ClassVar = adam
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·m̂/(√v̂ + ε)"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-2
    amsgrad: bool = False
