"""Descent that is judged at the average of where it has been."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, maximum
from descend.methods.method import Method
from descend.methods.modifiers import coupled_decay
from descend.methods.rule import elementwise, one_a_tensor, rule


@rule(average=elementwise.of_weights(), eta=one_a_tensor.starting("lr"))
def asgd(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Descend with ever shorter steps, and average the points from step t0 on."""
    w = w * (1 - h.lambd * s.eta) - s.eta * g
    s.average = lerp(s.average, w, 1 / maximum(s.step - 1 - h.t0, 1.0))
    s.eta = h.lr / (1 + h.lambd * h.lr * s.step) ** h.alpha
    return w


def average(w: Any, g: Any, s: Any, h: Any) -> Any:
    """The point to evaluate at."""
    return s.average


class ASGD(Method):
    """Averaged SGD: the mean of many noisy points is nearer to the minimum than any of them.

    Equations, in step t of this parameter::

        w ← (1 − λ η) w − η g                 (λ: lambd; η = lr at first)
        a ← a + (w − a) / max(1, t − 1 − t₀)  (the point to evaluate at; w itself until t₀ + 1)
        η ← lr / (1 + λ lr t)^α

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: length of the first steps, ≥ 0; under a schedule it acts from the step after.
        lambd: λ ≥ 0: a decay of w, and how fast steps shorten.
        alpha: α in [0, 1]: the power of t by which steps shorten.
        t0: t₀ ≥ 0: the step after which averaging begins; the default of torch means never.
        weight_decay: ≥ 0, coupled: g ← g + weight_decay · w.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and one number a tensor.

    Use it when: the problem is convex or nearly so, gradients are noisy, and the answer should be better
    than the noise; set ``t0`` to where the loss has stopped falling. Evaluate inside
    ``with opt.evaluation():``.

    Source: Polyak & Juditsky 1992; the schedule is Bottou's (2010). Equal to ``torch.optim.ASGD``.

    Differs: torch leaves it to the caller to copy ``state[p]["ax"]`` into the parameters.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = descend.methods.ASGD([w], lr=0.5, lambd=0.0, t0=0)
        >>> for gradient in (2.0, -2.0, 2.0):
        ...     w.grad = torch.tensor([gradient])
        ...     opt.step()
        >>> w.data
        tensor([0.])
        >>> with opt.evaluation():
        ...     print(w.data)
        tensor([0.5000])
    """

    rule: ClassVar = asgd
    decay: ClassVar = coupled_decay
    evaluation_point: ClassVar = staticmethod(average)
    equation: ClassVar = "w ← (1 − λη)w − ηg;  a ← a + (w − a)/max(1, t − 1 − t₀)"

    lr: float = 1e-2
    lambd: float = 1e-4
    alpha: float = 0.75
    t0: float = 1e6
    weight_decay: float = 0.0
