"""Successors of Adam: other moments, in another order, or bounded."""

from collections.abc import Mapping
from typing import Any, ClassVar

from descend.methods.equations import exp, lerp, log, maximum, mean, minimum, sqrt, where
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import elementwise, rule


@rule(m=elementwise, d=elementwise, v=elementwise.non_negative(), before=elementwise)
def adan(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Nesterov's look ahead, from the change of the gradient instead of a second evaluation."""
    beta1, beta2, beta3 = h.betas
    known = where(s.step > 1, 1.0, 0.0)  # the first gradient has none before it
    change = g - s.before
    s.m = lerp(s.m, g, 1 - beta1)
    s.d = lerp(s.d, change, known * (1 - beta2))
    ahead = g + known * beta2 * change
    s.v = beta3 * s.v + (1 - beta3) * (ahead * ahead)
    s.before = g
    c1, c2 = 1 - beta1**s.step, 1 - beta2**s.step
    step = h.lr / c1 * (s.m + beta2 * c1 / c2 * s.d) / (sqrt(s.v / (1 - beta3**s.step)) + h.eps)
    if h.no_prox:
        return w * (1 - h.lr * h.weight_decay) - step
    return (w - step) / (1 + h.lr * h.weight_decay) if h.weight_decay else w - step


class Adan(Method):
    """Adan: Adam with Nesterov momentum, which sees where the gradient is heading.

    Equations, in step t of this parameter, with δ = g − (the gradient before), 0 at first::

        m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
        d ← β₂ d + (1 − β₂) δ            d̂ = d / (1 − β₂ᵗ)
        v ← β₃ v + (1 − β₃) (g + β₂ δ)²  v̂ = v / (1 − β₃ᵗ)
        w ← (w − lr · (m̂ + β₂ d̂) / (√v̂ + ε)) / (1 + lr·λ)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; bears five to ten times that of AdamW.
        betas: (β₁, β₂, β₃), each in [0, 1): the memories of the gradient, of its change, and of the
            square. The paper writes 1 − β for each.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, by a proximal step after the move.
        no_prox: decay as AdamW does, a share lr·λ of w before the move.
        maximize: climb instead of descending.

    Memory: 16 bytes a float32 parameter.

    Use it when: batches are large and steps few, and memory is not what is short.

    Source: Xie et al. 2022, arXiv:2208.06677.

    Differs: the authors' ``max_grad_norm`` is left to the modifier ``clip_norm``, and steps are counted for
    each parameter rather than for each group.

    Example:
        >>> import torch
        >>> from descend.methods import Adan
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = Adan([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = adan
    equation: ClassVar = "w ← (w − lr·(m̂ + β₂·d̂)/(√v̂ + ε)) / (1 + lr·λ)"

    lr: float = 1e-3
    betas: tuple[float, float, float] = (0.98, 0.92, 0.99)
    eps: float = 1e-8
    weight_decay: float = 0.0
    no_prox: bool = False


@rule(m=elementwise, slow=elementwise, v=elementwise.non_negative())
def ademamix(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Adam with a second momentum that remembers tens of thousands of gradients."""
    beta1, beta2, beta3 = h.betas
    alpha = h.alpha
    if h.alpha_warmup:
        alpha = alpha * minimum(s.step / h.alpha_warmup, 1.0)
    if h.beta3_warmup:
        # The memory's half-life, about ln 2 / (1 − β), grows evenly from that of β₁ to that of β₃.
        share = minimum(s.step / h.beta3_warmup, 1.0)
        beta3 = exp(1 / ((1 - share) / log(maximum(beta1, 1e-8)) + share / log(beta3)))
    s.m = lerp(s.m, g, 1 - beta1)
    s.slow = lerp(s.slow, g, 1 - beta3)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    c1 = 1 - beta1**s.step
    mixed = s.m + alpha * c1 * s.slow
    return w - h.lr / c1 * mixed / (sqrt(s.v / (1 - beta2**s.step)) + h.eps)


class AdEMAMix(Method):
    """AdEMAMix: Adam with a second, very slow momentum beside the fast one.

    Equations, in step t of this parameter::

        m ← β₁ m + (1 − β₁) g            m̂ = m / (1 − β₁ᵗ)
        n ← β₃(t) n + (1 − β₃(t)) g      (the slow one; it is not corrected for its start)
        v ← β₂ v + (1 − β₂) g²           v̂ = v / (1 − β₂ᵗ)
        w ← (1 − lr·λ) w − lr · (m̂ + α(t) n) / (√v̂ + ε)

    with α(t) = α min(t / Tα, 1), and 1 / ln β₃(t) going in Tβ steps from 1 / ln β₁ to 1 / ln β₃.

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-3.
        betas: (β₁, β₂, β₃), each in [0, 1): the memories of the fast momentum, of the squared gradient and of
            the slow momentum.
        alpha: α ≥ 0: the weight of the slow momentum; 4 to 10 in long runs.
        beta3_warmup: Tβ > 0: steps in which β₃ is reached; ``None`` for at once.
        alpha_warmup: Tα > 0: steps in which α is reached; ``None`` for at once.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: 12 bytes a float32 parameter.

    Use it when: a run takes tens of thousands of steps or more; give both warm-ups about its whole length.
    In short runs the slow momentum has nothing to remember.

    Source: Pagliardini et al. 2024, arXiv:2409.03137.

    Differs: the authors' code adds 1e-8 to each β inside the schedule of β₃, which the paper does not: it
    moves 1 − β₃(t) by up to 1e-4 of itself during the warm-up.

    Example:
        >>> import torch
        >>> from descend.methods import AdEMAMix
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = AdEMAMix([w], lr=0.1, beta3_warmup=100, alpha_warmup=100)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = ademamix
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·(m̂ + α·slow)/(√v̂ + ε)"
    ranges: ClassVar[Mapping] = {
        "alpha": ("at least 0", lambda x: x >= 0),
        "beta3_warmup": ("at least 0", lambda x: x >= 0),
        "alpha_warmup": ("at least 0", lambda x: x >= 0),
    }

    lr: float = 1e-3
    betas: tuple[float, float, float] = (0.9, 0.999, 0.9999)
    alpha: float = 2.0
    beta3_warmup: int | None = None
    alpha_warmup: int | None = None
    eps: float = 1e-8
    weight_decay: float = 0.0


@rule(m=elementwise, v=elementwise.non_negative())
def adopt(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Measure a gradient by those before it alone, and only then take momentum."""
    beta1, beta2 = h.betas
    if h.weight_decay and not h.decouple:
        g = g + h.weight_decay * w
    if s.step == 1:  # the first gradient only measures
        s.v = g * g
        return w
    if h.weight_decay and h.decouple:
        w = w * (1 - h.lr * h.weight_decay)
    u = g / maximum(sqrt(s.v), h.eps)
    if h.clip:
        bound = (s.step - 1) ** 0.25
        u = minimum(maximum(u, -bound), bound)
    s.m = lerp(s.m, u, 1 - beta1)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    return w - h.lr * s.m


class ADOPT(Method):
    """ADOPT: Adam that converges with any β₂, as no gradient is measured by itself.

    Equations, in step t of this parameter; the first only sets v = g²::

        u = clip(g / max(√v, ε), ±(t − 1)^¼)
        m ← β₁ m + (1 − β₁) u
        v ← β₂ v + (1 − β₂) g²
        w ← w − lr · m

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of the measured gradient and of the squared one; β₂ may
            be anything.
        eps: ε ≥ 0: the least size that a gradient is measured by.
        weight_decay: λ ≥ 0.
        decouple: decay as AdamW does; otherwise g ← g + λ w.
        clip: bound what a gradient may become; false is the paper's first version.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: AdamW is unstable or its β₂ needs tuning. Where gradients change their size by orders of
    magnitude within 1/(1 − β₂) steps, lower β₂.

    Source: Taniguchi et al. 2024, arXiv:2411.02853, in its final version (with clipping).

    Differs: ``clip`` stands for the authors' ``clip_lambda``, a function of the step count.

    Example:
        >>> import torch
        >>> from descend.methods import ADOPT
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = ADOPT([w], lr=0.1)
        >>> for _ in range(2):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> w.data
        tensor([0.9900])
    """

    rule: ClassVar = adopt
    equation: ClassVar = "m ← β₁m + (1 − β₁)·clip(g/max(√v, ε));  w ← w − lr·m"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.9999)
    eps: float = 1e-6
    weight_decay: float = 0.0
    decouple: bool = False
    clip: bool = True


@rule(m=elementwise, v=elementwise.non_negative(), peak=elementwise.non_negative().when("amsgrad"))
def laprop(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide each gradient by the root of the mean square first, and average afterwards."""
    beta1, beta2 = h.betas
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    if h.amsgrad:
        s.peak = maximum(s.peak, s.v)
    v = (s.peak if h.amsgrad else s.v) / (1 - beta2**s.step)
    s.m = beta1 * s.m + (1 - beta1) * (g / (sqrt(v) + h.eps))
    return w - h.lr / (1 - beta1**s.step) * s.m


class LaProp(Method):
    """LaProp: Adam with its two parts in the other order, first the division, then the momentum.

    Equations, in step t of this parameter::

        v ← β₂ v + (1 − β₂) g²                   v̂ = v / (1 − β₂ᵗ)      (amsgrad: the largest v so far)
        m ← β₁ m + (1 − β₁) g / (√v̂ + ε)         m̂ = m / (1 − β₁ᵗ)
        w ← (1 − lr·λ) w − lr · m̂

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): any pair is stable, also β₂ far below β₁.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        amsgrad: never let the denominator shrink.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter (12 with amsgrad).

    Use it when: gradients are noisy or jump, and Adam with a small β₂ would diverge.

    Source: Ziyin et al. 2020, arXiv:2002.04839.

    Differs: the authors' code takes lr into m, which is the same while lr is constant, and decays by λ, not
    lr·λ. Their ``centered`` is left out.

    Example:
        >>> import torch
        >>> from descend.methods import LaProp
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = LaProp([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = laprop
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "m ← β₁m + (1 − β₁)·g/(√v̂ + ε);  w ← (1 − lr·λ)w − lr·m̂"

    lr: float = 4e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-15
    weight_decay: float = 0.0
    amsgrad: bool = False


@rule(m=elementwise, v=elementwise.non_negative())
def stableadamw(w: Any, g: Any, s: Any, h: Any) -> Any:
    """AdamW whose rate falls for a tensor whose gradients have outgrown their own record."""
    beta1, beta2 = h.betas
    # Means over all gradients so far at first: corrected from within, they are never too small.
    s.m = lerp(s.m, g, (1 - beta1) / (1 - beta1**s.step))
    new = (1 - beta2) / (1 - beta2**s.step)
    s.v = (1 - new) * s.v + new * (g * g)
    root = sqrt(s.v)
    surprise = g / maximum(root, h.eps)
    lr = h.lr / maximum(sqrt(mean(surprise * surprise)), 1.0)
    if h.weight_decay:
        w = w * (1 - lr * h.weight_decay)
    return w - lr * (s.m / (root + h.eps))


class StableAdamW(Method):
    """StableAdamW: AdamW that shortens the steps of a tensor whose gradients suddenly grow.

    Equations, in step t of this parameter::

        m ← m + a (g − m)               a = (1 − β₁) / (1 − β₁ᵗ)
        v ← v + b (g² − v)              b = (1 − β₂) / (1 − β₂ᵗ)
        η = lr / max(1, √mean(g² / max(v, ε²)))
        w ← (1 − η·λ) w − η · m / (√v + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1e-4 to 1e-2.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε ≥ 0: keeps the quotients finite.
        weight_decay: λ ≥ 0, decoupled: a share η·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: a large network is trained in half precision and its loss spikes; it makes clipping of the
    gradient's norm unnecessary.

    Source: Wortsman et al. 2023, arXiv:2304.13013. Equal to torch-optimi's ``StableAdamW``.

    Differs: without torch-optimi's fully decoupled decay and compensated sums.

    Example:
        >>> import torch
        >>> from descend.methods import StableAdamW
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = StableAdamW([w], lr=0.1, weight_decay=0.0)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = stableadamw
    equation: ClassVar = "η = lr/max(1, rms(g/√v));  w ← (1 − η·λ)w − η·m/(√v + ε)"

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    eps: float = 1e-6
    weight_decay: float = 1e-2
