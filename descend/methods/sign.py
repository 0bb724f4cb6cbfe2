"""Signs alone: every coordinate moves by the same length in every step."""

from typing import Any, ClassVar

from descend.methods.equations import lerp, sign
from descend.methods.method import Method
from descend.methods.modifiers import decoupled_decay
from descend.methods.rule import elementwise, rule


@rule()
def signsgd(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Follow the signs of the gradient."""
    return w - h.lr * sign(g)


@rule(m=elementwise.when("momentum"))
def signum(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Follow the signs of the mean gradient."""
    if not h.momentum:
        return w - h.lr * sign(g)
    s.m = lerp(s.m, g, 1 - h.momentum)
    return w - h.lr * sign(s.m)


@rule(m=elementwise)
def lion(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Follow the signs of a mean gradient in which the newest one counts more than it is remembered."""
    beta1, beta2 = h.betas
    u = sign(lerp(s.m, g, 1 - beta1))
    s.m = lerp(s.m, g, 1 - beta2)
    return w - h.lr * u


class SignSGD(Method):
    """SignSGD: the signs of the gradient, and nothing of its size.

    Equations::

        w ← (1 − lr·λ) w − lr · sign(g)       (sign(0) = 0)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the length of every step in every coordinate, ≥ 0; 1e-4 to 1e-2, and falling.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: no state.

    Use it when: memory or communication (one bit a number) is all that counts, and batches are large.
    With small batches a rare large gradient loses against many small ones of the other sign.

    Source: Bernstein et al. 2018, arXiv:1802.04434.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -100.0]))
        >>> opt = descend.methods.SignSGD([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([  0.9000, -99.9000])
    """

    rule: ClassVar = signsgd
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·sign(g)"

    lr: float = 1e-3
    weight_decay: float = 0.0


class Signum(Method):
    """Signum: the signs of a running mean of gradients.

    Equations::

        m ← μ m + (1 − μ) g
        w ← (1 − lr·λ) w − lr · sign(m)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the length of every step in every coordinate, ≥ 0; 1e-4 to 1e-2, and falling.
        momentum: μ in [0, 1): how much of the past is kept; 0 gives :class:`SignSGD`.
        weight_decay: λ ≥ 0, decoupled: a share lr·λ of w is taken off in each step.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter.

    Use it when: SignSGD is too noisy; Lion, at the same memory, is the better tuned of the two.

    Source: Bernstein et al. 2018, arXiv:1802.04434, algorithm 2.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -100.0]))
        >>> opt = descend.methods.Signum([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([  0.9000, -99.9000])
    """

    rule: ClassVar = signum
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "m ← μm + (1 − μ)g;  w ← (1 − lr·λ)w − lr·sign(m)"

    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0


class Lion(Method):
    """Lion: signs of momentum, found by a search over programs.

    Equations::

        u = sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g
        w ← (1 − lr·λ) w − lr · u

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the length of every step in every coordinate, ≥ 0; a third to a tenth of AdamW's.
        betas: (β₁, β₂), each in [0, 1): how much of the past is followed, and how much is remembered.
        weight_decay: λ ≥ 0, decoupled; three to ten times AdamW's, so that lr·λ stays.
        maximize: climb instead of descending.

    Memory: 4 bytes a float32 parameter, half of AdamW's.

    Use it when: AdamW's memory is too much, batches are large (hundreds and more), and lr and decay can be
    tuned anew. With small batches AdamW is the better one, by the authors' own account.

    Source: Chen et al. 2023, arXiv:2302.06675.

    Example:
        >>> import torch, descend
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -100.0]))
        >>> opt = descend.methods.Lion([w], lr=0.1)
        >>> (w ** 2).sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([  0.9000, -99.9000])
    """

    rule: ClassVar = lion
    decay: ClassVar = decoupled_decay
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·sign(β₁m + (1 − β₁)g)"

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.0
