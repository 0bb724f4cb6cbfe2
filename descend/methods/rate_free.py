"""Methods that find the length of their steps themselves, from how far they have come.

``lr`` is a factor of the length found, and stays at 1. What is found is one number for all parameters; it
stands in ``param_groups[i]`` (``d``, ``distance``), where the learning rate is seen.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from descend.methods.equations import absolute, given, maximum, minimum, norm, sqrt, total, where
from descend.methods.method import Method
from descend.methods.modifiers import coupled_decay
from descend.methods.rule import elementwise, one_a_tensor, one_for_all, rule

_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "d0": ("above 0", lambda x: x > 0),
    "d_coef": ("above 0", lambda x: x > 0),
    "growth_rate": ("at least 1", lambda x: x >= 1),
    "layer_scale": ("above 0", lambda x: x > 0),
}


def _rate(s: Any, h: Any) -> Any:
    """Return lr, with Adam's correction of both moments for their start."""
    if not h.use_bias_correction:
        return h.lr
    beta1, beta2 = h.betas
    return h.lr * sqrt(1 - beta2**s.step) / (1 - beta1**s.step)


def _ratio(numerator: Any, denominator: Any) -> Any:
    """Return the quotient; before the first gradient both are 0, and so is it."""
    return numerator / maximum(denominator, 1e-30)


@rule(
    m=elementwise,
    v=elementwise.non_negative(),
    pulls=elementwise,
    start=elementwise.starting("w"),
    d=one_for_all.starting("d0"),
    d_max=one_for_all.starting("d0"),
    d_numerator=one_for_all,
)
def prodigy(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Estimate the distance d to the solution from below, and take Adam's step with d for a rate."""
    beta1, beta2 = h.betas
    beta3 = h.beta3 if given(h.beta3) else sqrt(beta2)
    if h.weight_decay and not h.decouple:
        g = g + h.weight_decay * w
    d, rate = s.d, _rate(s, h)
    grown = d / h.d0  # the sums are kept in units of d0, or they would be too small for float32
    s.d_numerator = beta3 * s.d_numerator + grown * d * total(rate * (g * (s.start - w)))
    dg = d * g
    s.pulls = beta3 * s.pulls + (grown if h.safeguard_warmup else rate * grown) * dg
    reach = total(absolute(s.pulls))
    s.m = beta1 * s.m + (1 - beta1) * dg
    s.v = beta2 * s.v + (1 - beta2) * (dg * dg)

    found = h.d_coef * _ratio(s.d_numerator, reach)
    # The first estimate is taken whole; from then on d grows by at most growth_rate a step. (The margin
    # is for d0 in float32.)
    first = where(d > h.d0 * (1 + 1e-6), d, maximum(d, found))
    s.d_max = maximum(s.d_max, found)
    s.d = where(reach > 0, minimum(s.d_max, first * h.growth_rate), d)

    step = rate * where(reach > 0, d, 0.0)
    if h.weight_decay and h.decouple:
        w = w - h.weight_decay * step * w
    return w - step * (s.m / (sqrt(s.v) + h.eps * s.d))


@rule(
    m=elementwise,
    v=elementwise.non_negative(),
    pulls=elementwise,
    d=one_for_all.starting("d0"),
    d_numerator=one_for_all,
)
def dadapt_adam(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Estimate the distance d to the solution from below, and average steps of Adam with d for a rate."""
    beta1, beta2 = h.betas
    memory = sqrt(beta2)
    if h.weight_decay and not h.decouple:
        g = g + h.weight_decay * w
    rate = _rate(s, h)
    pulled = s.d * total(h.layer_scale * rate * (g * (s.pulls / (sqrt(s.v) + h.eps))))
    dg = s.d * g
    s.m = beta1 * s.m + h.layer_scale * rate * (1 - beta1) * dg
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    s.pulls = memory * s.pulls + rate * (1 - memory) * dg
    reach = total(h.layer_scale * absolute(s.pulls))

    if h.weight_decay and h.decouple:
        w = w - h.weight_decay * rate * where(reach > 0, s.d, 0.0) * w
    s.d_numerator = memory * s.d_numerator + (1 - memory) * pulled
    found = _ratio(s.d_numerator, (1 - memory) * reach)
    s.d = maximum(s.d, minimum(found, h.growth_rate * s.d))
    return w - s.m / (sqrt(s.v) + h.eps)


@rule(
    start=elementwise.starting("w"),
    size=one_a_tensor,
    own_distance=one_a_tensor.when("layerwise"),
    own_squares=one_a_tensor.when("layerwise").starting("eps"),
    distance=one_for_all,
    squares=one_for_all.starting("eps"),
)
def dog(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide the largest distance from the start by the root of the sum of squared gradients."""
    if s.step == 1:
        s.size = norm(w)
    moved, pull = norm(w - s.start), norm(g)
    # r_ε enters every maximum, where the authors only begin with it: so it may be computed in any step.
    reps_rel = 0.0 if given(h.init_eta) else h.reps_rel
    if h.layerwise:
        s.own_distance = maximum(maximum(s.own_distance, moved), reps_rel * (1 + s.size))
        s.own_squares = s.own_squares + pull * pull
        distance, squares = s.own_distance, s.own_squares
    else:
        size = sqrt(total(s.size * s.size))
        s.distance = maximum(maximum(s.distance, sqrt(total(moved * moved))), reps_rel * (1 + size))
        s.squares = s.squares + total(pull * pull)
        distance, squares = s.distance, s.squares
    if given(h.init_eta) and s.step == 1:
        return w - h.init_eta * g
    return w - (h.lr * _ratio(distance, sqrt(squares))) * g


class Prodigy(Method):
    """Prodigy: Adam that estimates its own learning rate, growing it from nearly nothing.

    Equations, in step t, with γ = lr (and Adam's correction, if asked for)::

        n ← β₃ n + (d/d₀) γ d · Σ g·(w₀ − w)          Σ: over all parameters
        s ← β₃ s + (d/d₀) γ d · g
        m ← β₁ m + (1 − β₁) d g
        v ← β₂ v + (1 − β₂) d² g²
        d' = max(d, d_coef · n / Σ|s|)                (at most growth_rate · d)
        w ← (1 − γ d λ) w − γ d · m / (√v + d' ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: γ ≥ 0: a factor of the rate found; leave it at 1, or let a schedule take it down from 1.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        beta3: β₃ in [0, 1): the memory of the estimate; ``None`` for √β₂.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0.
        decouple: whether weight decay is beside the gradient (as in AdamW) or inside it.
        use_bias_correction: correct the moments for their start, as Adam does.
        safeguard_warmup: leave γ out of s, so that a warm-up of γ cannot inflate the estimate.
        d0: > 0: the first d; far below any sensible rate.
        d_coef: > 0: a factor of the estimate: 0.5 to 2, the number to tune if there must be one.
        growth_rate: ≥ 1: how much d may grow in a step; 1.02 gives a kind of warm-up.
        maximize: climb instead of descending.

    Memory: 16 bytes a float32 parameter.

    Use it when: no rate is known and none shall be searched. It wants a schedule that falls (cosine), and
    finds rates too high for some recurrent and diffusion models; then d_coef=0.5 and safeguard_warmup.

    Source: Mishchenko & Defazio 2023, arXiv:2306.06101. Equal to ``prodigyopt.Prodigy``.

    Differs: no ``slice_p`` (an approximation that keeps s and w₀ for some entries alone). Groups may have
    rates of their own. While all gradients are zero nothing moves, as in the authors' code, but the steps
    are counted. With β₁ = 0 the authors' code steps with the new d. n and d are kept in float32 at least,
    where the authors' are Python's.

    Example:
        >>> import torch
        >>> from descend.methods.rate_free import Prodigy
        >>> w = torch.nn.Parameter(torch.tensor([5.0]))
        >>> opt = Prodigy([w])
        >>> for _ in range(200):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> bool(w.abs() < 1), bool(opt.param_groups[0]["d"] > 1e-3)
        (True, True)
    """

    rule: ClassVar = prodigy
    ranges: ClassVar = {**_RANGES, "beta3": ("in [0, 1)", lambda x: 0 <= x < 1)}
    equation: ClassVar = "d ← max(d, n/Σ|s|);  w ← w − lr·d·m/(√v + d·ε)"

    lr: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    beta3: float | None = None
    eps: float = 1e-8
    weight_decay: float = 0.0
    decouple: bool = True
    use_bias_correction: bool = False
    safeguard_warmup: bool = False
    d0: float = 1e-6
    d_coef: float = 1.0
    growth_rate: float = float("inf")


class DAdaptAdam(Method):
    """D-Adaptation for Adam: the rate is a lower bound of the distance to the solution, which only grows.

    Equations, in step t, with γ = lr (and Adam's correction, if asked for), ρ a group's layer_scale::

        n ← √β₂ n + (1 − √β₂) Σ ρ γ d · g·s / (√v + ε)    Σ: over all parameters
        m ← β₁ m + (1 − β₁) ρ γ d · g
        v ← β₂ v + (1 − β₂) g²
        s ← √β₂ s + (1 − √β₂) γ d · g
        w ← (1 − γ d λ) w − m / (√v + ε)
        d ← max(d, n / ((1 − √β₂) Σ ρ|s|))                (at most growth_rate · d)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: γ ≥ 0: a factor of the rate found; leave it at 1, or let a schedule take it down from 1.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared gradient.
        eps: ε > 0: keeps the quotients finite.
        weight_decay: λ ≥ 0.
        decouple: whether weight decay is beside the gradient (as in AdamW) or inside it.
        use_bias_correction: correct the moments for their start, as Adam does.
        d0: > 0: the first d; far below any sensible rate.
        growth_rate: ≥ 1: how much d may grow in a step; 1.02 gives a kind of warm-up.
        layer_scale: ρ > 0: of a group: its rate relative to the others'.
        maximize: climb instead of descending.

    Memory: 12 bytes a float32 parameter.

    Use it when: no rate is known and four bytes less than Prodigy's count; Prodigy finds its rate faster.

    Source: Defazio & Mishchenko 2023, arXiv:2301.07733. Equal to ``dadaptation.DAdaptAdam``.

    Differs: groups may have rates of their own. n and d are kept in float32 at least, where the authors'
    are Python's.

    Example:
        >>> import torch
        >>> from descend.methods.rate_free import DAdaptAdam
        >>> w = torch.nn.Parameter(torch.tensor([5.0]))
        >>> opt = DAdaptAdam([w])
        >>> for _ in range(300):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> bool(opt.param_groups[0]["d"] > 1e-3)
        True
    """

    rule: ClassVar = dadapt_adam
    ranges: ClassVar = {**_RANGES, "eps": ("above 0", lambda x: x > 0)}
    equation: ClassVar = "d ← max(d, n/((1 − √β₂)Σ|s|));  w ← w − m/(√v + ε)"

    lr: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    decouple: bool = False
    use_bias_correction: bool = False
    d0: float = 1e-6
    growth_rate: float = float("inf")
    layer_scale: float = 1.0


class DoG(Method):
    """DoG: distance over gradients, SGD without a learning rate; layer by layer with ``layerwise``.

    Equations, in step t; norms are of all parameters together (layerwise: of each tensor)::

        r ← max(r, ‖w − w₀‖, r_ε)                     r_ε = reps_rel · (1 + ‖w₀‖)
        G ← G + ‖g‖²                                  (G = ε at first)
        w ← w − lr · (r / √G) · g

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        reps_rel: > 0: the first distance, relative to the start; 1e-4 with batch norm.
        lr: ≥ 0: a factor of the step found; leave it at 1.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        eps: ε ≥ 0: keeps the quotient finite.
        init_eta: > 0: the very first step's rate, in place of reps_rel; ``None`` to leave it to reps_rel.
        layerwise: L-DoG: r and G of each tensor by itself; faster on large networks.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and one number a tensor (three with layerwise).

    Use it when: you would have used SGD, and shall not search its rate. The step never shrinks by itself:
    the average of the iterates is the result, so switch averaging of polynomial decay on beside it.

    Source: Ivgi et al. 2023, arXiv:2302.12022. Equal to ``dog.DoG`` and ``dog.LDoG``.

    Differs: without ``layerwise``, r and G are of all parameters of all groups, as in the paper; the
    authors' code takes each group by itself. While all gradients are zero nothing moves, where the
    authors' code stops with an error if ε is 0.

    Example:
        >>> import torch
        >>> from descend.methods.rate_free import DoG
        >>> w = torch.nn.Parameter(torch.tensor([5.0]))
        >>> opt = DoG([w])
        >>> for _ in range(300):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> bool(w.abs() < 1)
        True
    """

    rule: ClassVar = dog
    decay: ClassVar = coupled_decay
    ranges: ClassVar = {
        "reps_rel": ("above 0", lambda x: x > 0),
        "init_eta": ("above 0", lambda x: x > 0),
    }
    equation: ClassVar = "w ← w − lr·(max‖w − w₀‖/√Σ‖g‖²)·g"

    reps_rel: float = 1e-6
    lr: float = 1.0
    weight_decay: float = 0.0
    eps: float = 1e-8
    init_eta: float | None = None
    layerwise: bool = False
