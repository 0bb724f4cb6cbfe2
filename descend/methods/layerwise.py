"""Each tensor moves by a share of its own length: for batches of thousands."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, norm, sqrt, where
from descend.methods.method import Method
from descend.methods.rule import elementwise, rule


@rule(m=elementwise)
def lars(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Momentum, with each tensor's gradient brought to a share of the tensor's length."""
    length, slope = norm(w), norm(g)
    rate = h.trust_coefficient * length / (slope + h.weight_decay * length)
    rate = where(length > 0, where(slope > 0, rate, 1.0), 1.0)
    if h.weight_decay:
        g = g + h.weight_decay * w
    # The rate of this step enters the momentum, and stays in it when the rate changes.
    s.m = h.momentum * s.m + h.lr * rate * g
    return w - s.m


@rule(m=elementwise, v=elementwise.non_negative())
def lamb(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam, with each tensor's step as long as a share lr of the tensor."""
    beta1, beta2 = h.betas
    s.m = lerp(s.m, g, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    u = s.m / (1 - beta1**s.step) / (sqrt(s.v / (1 - beta2**s.step)) + h.eps)
    if h.weight_decay:
        u = u + h.weight_decay * w
    length, stride = norm(w), norm(u)
    trust = where(length > 0, where(stride > 0, length / stride, 1.0), 1.0)
    return w - h.lr * trust * u


class LARS(Method):
    """LARS: momentum for large batches, with a rate for each tensor.

    Equations, for each tensor::

        r = η ‖w‖ / (‖g‖ + λ ‖w‖)            (η: trust_coefficient; 1 where ‖w‖ or ‖g‖ is 0)
        m ← μ m + lr · r · (g + λ w)
        w ← w − m

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: ≥ 0; a step is about lr·η/(1 − μ) of each tensor's length, whatever the gradient's.
        momentum: μ in [0, 1): how much of the past steps is kept.
        weight_decay: λ ≥ 0, coupled, inside the ratio.
        trust_coefficient: η ≥ 0: the length of a step as a share of the tensor's.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: a convolutional network is trained with batches of thousands, or self-supervised. Leave
    biases and scales of normalisation to plain momentum: a tensor of zeros has no length to go by, and
    takes its first step at the full lr. ``{"params": biases, "method": "momentum", "lr": 0.1}`` does so.

    Source: You, Gitman & Ginsburg 2017, arXiv:1708.03888; ratio and momentum as in the authors' Caffe.

    Differs: packages for torch mostly multiply by lr outside the momentum (w ← w − lr·m), which is the
    same while lr is constant. They leave biases out by their shape, or where λ is 0; here groups do.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> opt = descend.methods.LARS([w], lr=1.0, weight_decay=0.0, trust_coefficient=0.1)
        >>> (1e6 * w[0]).backward()
        >>> opt.step()
        >>> w.data
        tensor([2.5000, 4.0000])
    """

    rule: ClassVar = lars
    equation: ClassVar = "m ← μm + lr·η‖w‖/(‖g‖ + λ‖w‖)·(g + λw);  w ← w − m"

    lr: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    trust_coefficient: float = 1e-3


class LAMB(Method):
    """LAMB: Adam for large batches, with each tensor's step a share of its length.

    Equations, in step t of this parameter::

        m ← β₁ m + (1 − β₁) g        m̂ = m / (1 − β₁ᵗ)
        v ← β₂ v + (1 − β₂) g²       v̂ = v / (1 − β₂ᵗ)
        u = m̂ / (√v̂ + ε) + λ w
        w ← w − lr · ‖w‖/‖u‖ · u              (the ratio is 1 where ‖w‖ or ‖u‖ is 0)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: ≥ 0: the length of every step as a share of the tensor's; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotient finite; outside the root, after the correction of v.
        weight_decay: λ ≥ 0, decoupled, inside the ratio.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: a transformer is trained with batches of thousands, where AdamW's lr cannot be raised any
    more. Below that AdamW does as well.

    Source: You et al. 2020, arXiv:1904.00962, algorithm 2 of its last version, with φ(x) = x.

    Differs: pytorch-lamb and the packages after it take at most 10 for ‖w‖ and leave the correction of m
    and v out, as earlier versions of the paper did; the authors' first TensorFlow code, and apex with
    ``bias_correction=False``, leave it out as well. apex clips gradients to a global norm of 1 before; here
    ``clip_norm=1.0`` does.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> opt = descend.methods.LAMB([w], lr=0.1, weight_decay=0.0)
        >>> (1e6 * w[0]).backward()
        >>> opt.step()
        >>> w.data
        tensor([2.5000, 4.0000])
    """

    rule: ClassVar = lamb
    equation: ClassVar = "u = m̂/(√v̂ + ε) + λw;  w ← w − lr·‖w‖/‖u‖·u"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-6
    weight_decay: float = 1e-2
