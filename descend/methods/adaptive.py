"""Steps of each coordinate's own length: from sums of squared gradients, or from signs alone."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, maximum, minimum, sign, sqrt, where
from descend.methods.method import Method
from descend.methods.modifiers import coupled_decay
from descend.methods.rule import elementwise, rule


@rule(v=elementwise.non_negative().starting("initial_accumulator_value"))
def adagrad(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide by the root of the sum of all squared gradients so far."""
    s.v = s.v + g * g
    lr = h.lr / (1 + (s.step - 1) * h.lr_decay)
    return w - lr * g / (sqrt(s.v) + h.eps)


@rule(v=elementwise.non_negative(), mean=elementwise.when("centered"), m=elementwise.when("momentum"))
def rmsprop(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide by the root of a running mean of squared gradients."""
    s.v = h.alpha * s.v + (1 - h.alpha) * (g * g)
    variance = s.v
    if h.centered:
        s.mean = lerp(s.mean, g, 1 - h.alpha)
        # Rounding can leave less than nothing of a constant gradient's variance.
        variance = maximum(s.v - s.mean * s.mean, 0.0)
    u = g / (sqrt(variance) + h.eps)
    if h.momentum:
        s.m = u = h.momentum * s.m + u
    return w - h.lr * u


@rule(v=elementwise.non_negative(), u=elementwise.non_negative())
def adadelta(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Take steps as long as recent steps, where the gradient is as long as recent gradients."""
    s.v = h.rho * s.v + (1 - h.rho) * (g * g)
    step = sqrt(s.u + h.eps) / sqrt(s.v + h.eps) * g
    s.u = h.rho * s.u + (1 - h.rho) * (step * step)
    return w - h.lr * step


@rule(before=elementwise, size=elementwise.non_negative().starting("lr"))
def rprop(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Lengthen a coordinate's step while its gradient keeps its sign; shorten it and wait when it turns."""
    shorter, longer = h.etas
    least, most = h.step_sizes
    turn = sign(g) * sign(s.before)  # not g · before, which underflows
    size = where(turn > 0, longer * s.size, where(turn < 0, shorter * s.size, s.size))
    s.size = minimum(maximum(size, least), most)
    s.before = where(turn < 0, 0.0, g)
    return w - s.size * sign(s.before)


class Adagrad(Method):
    """Adagrad: each coordinate's step shrinks with all the gradients it has seen.

    Equations, in step t of this parameter::

        v ← v + g²                            (v = initial_accumulator_value at first)
        w ← w − lr / (1 + (t − 1) η) · g / (√v + ε)      (η: lr_decay)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of the first step in each coordinate, ≥ 0; 1e-2 to 1e-1.
        lr_decay: η ≥ 0: shrinks steps by 1/t on top, as the sum does by 1/√t.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        initial_accumulator_value: ≥ 0: what v starts from; above 0 it shortens the first steps.
        eps: ε ≥ 0: keeps the quotient finite; outside the root.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: gradients are sparse and rare features matter (embeddings, bags of words), or the problem
    is convex. Steps only ever shrink, so it stalls on long runs of deep networks.

    Source: Duchi, Hazan & Singer 2011, JMLR 12:2121. Equal to ``torch.optim.Adagrad``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.Adagrad([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = adagrad
    decay: ClassVar = coupled_decay
    equation: ClassVar = "v ← v + g²;  w ← w − lr·g/(√v + ε)"

    lr: float = 1e-2
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10


class RMSprop(Method):
    """RMSprop: gradients divided by their recent root mean square.

    Equations::

        v ← α v + (1 − α) g²
        u = g / (√v + ε)                      (centered: n ← α n + (1 − α) g; v − n² in place of v)
        w ← w − lr · u                        (momentum: m ← μ m + u; w ← w − lr · m)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate, ≥ 0; 1e-4 to 1e-2.
        alpha: α in [0, 1]: the memory of squared gradients.
        eps: ε ≥ 0: keeps the quotient finite; outside the root.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        momentum: μ in [0, 1): how much of the past steps is kept.
        centered: divide by the deviation of gradients instead of their size.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter; 4 more with momentum, 4 more where centered.

    Use it when: an older recipe (reinforcement learning, recurrent networks) asks for it; Adam corrects its
    first steps, which are up to 1/√(1 − α) times too long here.

    Source: Tieleman & Hinton 2012, Coursera lecture 6.5; centered: Graves 2013, arXiv:1308.0850. Equal to
    ``torch.optim.RMSprop``.

    Differs: a centered variance that rounding takes below zero counts as zero; torch's root of it is NaN.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.RMSprop([w], lr=0.01)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9000])
    """

    rule: ClassVar = rmsprop
    decay: ClassVar = coupled_decay
    equation: ClassVar = "w ← w − lr·g/(√v + ε)"

    lr: float = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    weight_decay: float = 0.0
    momentum: float = 0.0
    centered: bool = False


class Adadelta(Method):
    """Adadelta: steps in the units of the parameters, without a learning rate to choose.

    Equations::

        v ← ρ v + (1 − ρ) g²
        d = √(u + ε) / √(v + ε) · g
        u ← ρ u + (1 − ρ) d²
        w ← w − lr · d

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: a factor on every step, ≥ 0; 1 is the method of the paper.
        rho: ρ in [0, 1]: the memory of squared gradients and squared steps.
        eps: ε ≥ 0: inside both roots; √ε is about the length of the first steps.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: you reproduce work that used it. It starts slowly, since steps grow from √ε, and it is
    sensitive to ε where it was meant to be free of lr.

    Source: Zeiler 2012, arXiv:1212.5701. Equal to ``torch.optim.Adadelta``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.Adadelta([w])
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.9968])
    """

    rule: ClassVar = adadelta
    decay: ClassVar = coupled_decay
    equation: ClassVar = "w ← w − lr·√(u + ε)/√(v + ε)·g"

    lr: float = 1.0
    rho: float = 0.9
    eps: float = 1e-6
    weight_decay: float = 0.0


class Rprop(Method):
    """Rprop: resilient propagation, which looks at the signs of gradients alone.

    Equations, for each coordinate::

        δ ← η₊ δ  where g · g₀ > 0            (g₀: the gradient before, δ = lr at first)
        δ ← η₋ δ  where g · g₀ < 0, and g is then counted as 0
        δ ← min(max(δ, least), most)
        w ← w − δ · sign(g);   g₀ ← g

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the length of the first step in each coordinate, ≥ 0; later values are without effect.
        etas: (η₋, η₊), 0 < η₋ < 1 < η₊: how much a step shrinks and grows.
        step_sizes: (least, most), 0 ≤ least ≤ most: the bounds of δ.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: gradients are exact (the whole data in every step), however badly scaled they are. The
    noise of small batches turns signs at random and shrinks all steps away.

    Source: Riedmiller & Braun 1993, ICNN, in the form iRprop− of Igel & Hüsken 2000. Equal to
    ``torch.optim.Rprop``.

    Differs: signs are multiplied instead of gradients, whose product is zero in float32 below 1e-23, and
    in float16 below 2e-4; torch then neither lengthens nor shortens a step.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -100.0]))
        >>> opt = descend.methods.Rprop([w], lr=0.1)
        >>> for _ in range(2):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> w.data
        tensor([  0.7800, -99.7800])
    """

    rule: ClassVar = rprop
    equation: ClassVar = "δ ← η±·δ;  w ← w − δ·sign(g)"

    lr: float = 1e-2
    etas: tuple[float, float] = (0.5, 1.2)
    step_sizes: tuple[float, float] = (1e-6, 50.0)
