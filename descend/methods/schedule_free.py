"""Schedule-free methods: an average of the iterates in place of a schedule of the learning rate.

Three points: z takes the steps, x averages the z and is the result, and gradients are taken at y, between
them. The parameter is y; ``with opt.evaluation():`` takes it to x.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from descend.methods.equations import lerp, maximum, minimum, sqrt
from descend.methods.method import Method
from descend.methods.rule import elementwise, one_a_tensor, rule

_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "warmup_steps": ("a whole number of at least 0", lambda x: x >= 0 and x == int(x)),
    "r": ("at least 0", lambda x: x >= 0),
    "weight_lr_power": ("at least 0", lambda x: x >= 0),
}


def _rate(s: Any, h: Any) -> Any:
    """Return the learning rate of this step: it rises over the first ``warmup_steps``."""
    return h.lr * minimum(s.step / h.warmup_steps, 1.0) if h.warmup_steps else h.lr


def _share(s: Any, h: Any, lr: Any) -> Any:
    """Return the share c of the newest z in the average x.

    It is the step's weight, t^r · (largest lr so far)^p, over the sum of all weights. The sum is kept in
    units of the newest weight: it then counts the steps, exactly, while the learning rate does not rise.
    (A plain sum of equal small numbers drifts by percents in float32 after a million steps.)
    """
    before = ((s.step - 1) / s.step) ** h.r if h.r else 1.0
    if h.weight_lr_power:
        largest = maximum(s.largest, lr)
        # While every rate was 0 all points are one, and any share will do, but not 0/0.
        before = before * (s.largest / maximum(largest, 1e-30)) ** h.weight_lr_power
        s.largest = largest
    s.weights = s.weights * before + 1.0
    return 1.0 / s.weights


def _moved(w: Any, u: Any, s: Any, lr: Any, c: Any, beta: Any) -> Any:
    """Step with z along u, average it into x, and return y = (1 − β) z + β x; x itself is not needed."""
    y = lerp(w, s.z, c) + (lr * (beta * (1 - c) - 1)) * u
    s.z = s.z - lr * u
    return y


@rule(z=elementwise.starting("w"), weights=one_a_tensor, largest=one_a_tensor.when("weight_lr_power"))
def schedule_free_sgd(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Step with z along the gradient at y, and average."""
    lr = _rate(s, h)
    c = _share(s, h, lr)
    u = g + h.weight_decay * w if h.weight_decay else g
    return _moved(w, u, s, lr, c, h.momentum)


@rule(
    z=elementwise.starting("w"),
    v=elementwise.non_negative(),
    weights=one_a_tensor,
    largest=one_a_tensor.when("weight_lr_power"),
)
def schedule_free_adamw(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Step with z along the normalised gradient at y, and average."""
    beta1, beta2 = h.betas
    lr = _rate(s, h)
    c = _share(s, h, lr)
    s.v = beta2 * s.v + (1 - beta2) * (g * g)
    u = g / (sqrt(s.v / (1 - beta2**s.step)) + h.eps)
    if h.weight_decay:
        u = u + h.weight_decay * w
    return _moved(w, u, s, lr, c, beta1)


def _average_of_sgd(w: Any, g: Any, s: Any, h: Any) -> Any:
    return lerp(w, s.z, 1 - 1 / h.momentum)


def _average_of_adamw(w: Any, g: Any, s: Any, h: Any) -> Any:
    return lerp(w, s.z, 1 - 1 / h.betas[0])


class ScheduleFreeSGD(Method):
    """Schedule-free SGD: the average of the steps takes the place of a falling learning rate.

    Equations, in step t of this parameter; the parameter is y, and ``with opt.evaluation():`` gives x::

        u = g(y) + λ y
        z ← z − lr_t · u                              lr_t = lr · min(1, t / warmup)
        x ← (1 − c) x + c z                           c = ω_t / Σᵢ ωᵢ,  ωᵢ = iʳ · (max lr so far)ᵖ
        y ← (1 − μ) z + μ x

    x is not kept: it is y + (1 − 1/μ)(z − y).

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: step length, > 0; larger ones than with momentum are stable, 1 to 50 times SGD's.
        momentum: μ in (0, 1): how near to the average gradients are taken.
        weight_decay: λ ≥ 0, at y, inside the gradient.
        warmup_steps: steps in which the rate rises from 0 to lr; 0 for none.
        r: ≥ 0: the power of the step in a step's weight: 0 weighs all alike.
        weight_lr_power: p ≥ 0: the power of the largest rate so far in a step's weight: with 2 the steps
            of a warm-up count little.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, and two numbers a tensor.

    Use it when: the length of the descent is not known beforehand, and you would have used SGD. Leave
    schedules away. Networks with batch norm need its statistics taken anew at x: they were gathered at y.

    Source: Defazio et al. 2024, arXiv:2405.15682. Equal to ``schedulefree.SGDScheduleFree``.

    Differs: there is no mode to switch (``opt.train()``, ``opt.eval()``), and a state may be saved in
    either; the gradient is left as it is; steps are counted for each parameter.

    Example:
        >>> import torch
        >>> from descend.methods.schedule_free import ScheduleFreeSGD
        >>> w = torch.nn.Parameter(torch.tensor([1.0]))
        >>> opt = ScheduleFreeSGD([w], lr=0.1)
        >>> for _ in range(50):
        ...     opt.zero_grad()
        ...     (w ** 2).sum().backward()
        ...     opt.step()
        >>> with opt.evaluation():
        ...     bool(w.abs() < 0.1)
        True
    """

    rule: ClassVar = schedule_free_sgd
    schedule: ClassVar = "constant"
    evaluation_point: ClassVar = staticmethod(_average_of_sgd)
    equation: ClassVar = "z ← z − lr·g(y);  x ← (1 − c)x + c·z;  y ← (1 − μ)z + μx"
    ranges: ClassVar = {**_RANGES, "momentum": ("above 0 and below 1", lambda x: 0 < x < 1)}

    lr: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 0.0
    warmup_steps: int = 0
    r: float = 0.0
    weight_lr_power: float = 2.0


class ScheduleFreeAdamW(Method):
    """Schedule-free AdamW: AdamW without a schedule, ready to be stopped at any time.

    Equations, in step t of this parameter; the parameter is y, and ``with opt.evaluation():`` gives x::

        v ← β₂ v + (1 − β₂) g(y)²                     v̂ = v / (1 − β₂ᵗ)
        u = g(y) / (√v̂ + ε) + λ y
        z ← z − lr_t · u                              lr_t = lr · min(1, t / warmup)
        x ← (1 − c) x + c z                           c = ω_t / Σᵢ ωᵢ,  ωᵢ = iʳ · (max lr so far)ᵖ
        y ← (1 − β₁) z + β₁ x

    x is not kept: it is y + (1 − 1/β₁)(z − y).

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: about the length of a step in each coordinate; 1 to 10 times AdamW's.
        betas: (β₁, β₂): β₁ in (0, 1): how near to the average gradients are taken; β₂ in [0, 1): the memory
            of the squared gradient.
        eps: ε ≥ 0: keeps the quotient finite.
        weight_decay: λ ≥ 0, at y, beside the normalised gradient.
        warmup_steps: steps in which the rate rises from 0 to lr; the authors advise some.
        r: ≥ 0: the power of the step in a step's weight: 0 weighs all alike.
        weight_lr_power: p ≥ 0: the power of the largest rate so far in a step's weight: with 2 the steps
            of a warm-up count little.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter, and two numbers a tensor.

    Use it when: the length of the descent is not known beforehand. Leave schedules away. Networks with
    batch norm need its statistics taken anew at x: they were gathered at y.

    Source: Defazio et al. 2024, arXiv:2405.15682. Equal to ``schedulefree.AdamWScheduleFree``.

    Differs: there is no mode to switch (``opt.train()``, ``opt.eval()``), and a state may be saved in
    either; the gradient is left as it is; steps are counted for each parameter. As in the authors' code,
    and other than in the paper's algorithm, v is corrected for its start.

    Example:
        >>> import torch
        >>> from descend.methods.schedule_free import ScheduleFreeAdamW
        >>> model = torch.nn.Linear(2, 1)
        >>> opt = ScheduleFreeAdamW(model.parameters(), warmup_steps=10)
        >>> model(torch.ones(4, 2)).square().mean().backward()
        >>> opt.step()
        >>> with opt.evaluation():
        ...     loss = model(torch.ones(4, 2)).square().mean()
    """

    rule: ClassVar = schedule_free_adamw
    schedule: ClassVar = "constant"
    evaluation_point: ClassVar = staticmethod(_average_of_adamw)
    equation: ClassVar = "z ← z − lr·g(y)/(√v̂ + ε);  x ← (1 − c)x + c·z;  y ← (1 − β₁)z + β₁x"
    ranges: ClassVar = _RANGES
    pairs: ClassVar = {"betas": ("a β₁ above 0 (else the average cannot be told from y)", lambda a, b: a > 0)}

    lr: float = 2.5e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0
    warmup_steps: int = 0
    r: float = 0.0
    weight_lr_power: float = 2.0
