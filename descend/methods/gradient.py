"""Gradient descent itself, and with momentum."""

from typing import Any, ClassVar

from descend.methods.equations import where
from descend.methods.method import Method
from descend.methods.modifiers import coupled_decay
from descend.methods.rule import elementwise, rule


@rule(m=elementwise.when("momentum"))
def sgd(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Follow the gradient, or the running sum of gradients (torch's form of momentum)."""
    if not h.momentum:
        return w - h.lr * g
    # The first gradient enters whole: dampening would only shorten the first step.
    s.m = h.momentum * s.m + where(s.step == 1, 1.0, 1 - h.dampening) * g
    return w - h.lr * (g + h.momentum * s.m if h.nesterov else s.m)


class SGD(Method):
    """Stochastic gradient descent, with momentum where it is asked for.

    Equations, with the gradient g of a random subset of the data::

        m ← μ m + (1 − τ) g          (μ: momentum, τ: dampening; m = g at first)
        w ← w − lr · m               (nesterov: w ← w − lr · (g + μ m))

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: step length, > 0; ask for the largest that is stable (2/λmax on a quadratic).
        momentum: μ in [0, 1): how much of the past is kept; 0.9 averages some ten gradients.
        dampening: τ in [0, 1]: how much of a new gradient is left out.
        weight_decay: λ ≥ 0, coupled: g ← g + λ w.
        nesterov: look at the gradient where the momentum leads; needs momentum and no dampening.
        maximize: climb instead of descending.

    Memory: no state; 4 bytes a float32 parameter with momentum.

    Use it when: memory is short, or the last bit of accuracy on pictures is worth tuning the learning rate
    and its schedule; layers of very different scales want an adaptive method instead.

    Source: Robbins & Monro 1951; Sutskever et al. 2013 for the form of Nesterov's method. Equal to
    ``torch.optim.SGD``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.SGD([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.8000])
    """

    rule: ClassVar = sgd
    decay: ClassVar = coupled_decay
    equation: ClassVar = "w ← w − lr·g"

    lr: float = 1e-3
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False


class Momentum(Method):
    """Heavy-ball momentum: a ball that rolls down instead of a walker who steps.

    Equations::

        m ← μ m + g
        w ← w − lr · m

    Args:
        params: parameters, or groups of them.
        lr: step length, > 0; with μ = 0.9 about a tenth of what plain descent bears.
        momentum: μ in [0, 1).
        dampening: in [0, 1]: how much of a new gradient is left out.
        weight_decay: λ ≥ 0, coupled.
        nesterov: see :class:`Nesterov`.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: the data are pictures and the network is convolutional, or the loss is smooth with long
    valleys; it is the usual SGD of practice.

    Source: Polyak 1964. Equal to ``torch.optim.SGD(momentum=...)``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.Momentum([w], lr=0.1)
        >>> for _ in range(2):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> w.data
        tensor([0.4600])
    """

    rule: ClassVar = sgd
    decay: ClassVar = coupled_decay
    equation: ClassVar = "m ← μm + g;  w ← w − lr·m"

    lr: float = 1e-2
    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False


class Nesterov(Method):
    """Nesterov's accelerated gradient: momentum that looks ahead.

    Equations::

        m ← μ m + g
        w ← w − lr · (g + μ m)

    Args:
        params: parameters, or groups of them.
        lr: step length, > 0.
        momentum: μ in (0, 1).
        dampening: must stay 0.
        weight_decay: λ ≥ 0, coupled.
        nesterov: true; false gives heavy-ball momentum.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: you would use momentum, and it overshoots: the look ahead damps the swings.

    Source: Nesterov 1983, in the form of Sutskever et al. 2013. Equal to
    ``torch.optim.SGD(momentum=..., nesterov=True)``.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.Nesterov([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.6200])
    """

    rule: ClassVar = sgd
    decay: ClassVar = coupled_decay
    equation: ClassVar = "m ← μm + g;  w ← w − lr·(g + μm)"

    lr: float = 1e-2
    momentum: float = 0.9
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = True
