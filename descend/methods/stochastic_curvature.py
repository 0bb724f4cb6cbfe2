"""Methods that measure the curvature as they go: a random estimate of the Hessian's diagonal.

Hutchinson's estimate is v ⊙ (H v) with random signs v: its mean is the diagonal, and H v costs about as
much as a second backward pass. It differentiates the gradient, which must carry its graph::

    loss.backward(create_graph=opt.needs_graph)
    opt.step()

The signs follow from the step count alone, so that a run that is resumed draws the same ones. The step
detaches the gradients: left as they come, they and the parameters hold each other, and with them the whole
graph, until the garbage collector finds them (the leak that torch warns of).

An estimate is the ``g`` of a second rule, which takes it into the state before the method's own rule runs.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from descend.errors import UsageError
from descend.methods import evaluating, gathering
from descend.methods.equations import absolute, lerp, maximum, minimum, sqrt, whole
from descend.methods.executors.sharded import Part
from descend.methods.gathering import moving_of
from descend.methods.method import Method
from descend.methods.modifiers import ascent, decoupled_decay
from descend.methods.modifiers.measuring import Moving
from descend.methods.rule import Batch, Rule, elementwise, one_a_tensor, rule

HUTCHINSON, GAUSS_NEWTON_BARTLETT = "hutchinson", "gauss-newton-bartlett"

_PERIOD: tuple[str, Callable[[float], bool]] = (
    "a whole number of at least 1",
    lambda x: x >= 1 and x == int(x),
)

_Plumbing = Method if TYPE_CHECKING else object


class Curved(_Plumbing):
    """What methods share that estimate the Hessian's diagonal: when, from what, and into which state."""

    remember: ClassVar[Callable[..., Any]]
    """``(w, estimate, s, h) → w``: takes an estimate into the state."""
    alone: ClassVar[bool] = True
    _estimated = False

    @property
    def needs_graph(self) -> bool:
        """Whether the next step needs gradients from ``loss.backward(create_graph=True)``."""
        return self._due() and self._estimator() == HUTCHINSON

    @property
    def needs_estimate(self) -> bool:
        """Whether :meth:`estimate` is to be called before the next step."""
        return self._due() and not self._estimated and self._estimator() != HUTCHINSON

    @torch.no_grad()
    def estimate(self, batch_size: int | None = None) -> None:
        """Estimate the curvature from the gradients that the parameters have now.

        With Hutchinson's estimate ``step`` does it by itself; call it after ``backward`` where the
        gradients are changed before the step (clipped). With the Gauss-Newton-Bartlett estimate call it
        where :attr:`needs_estimate`, after the backward pass of a loss whose labels were drawn from the
        model's own output; then forget these gradients, and go on as usual.

        Args:
            batch_size: how many examples (or tokens) the loss is a mean over; needed by the
                Gauss-Newton-Bartlett estimate alone.

        Raises:
            UsageError: where gradients carry no graph, or the batch size is missing.
        """
        evaluating.back_to_training(self)
        if self._estimator() == HUTCHINSON:
            found = self._hutchinson()
        elif batch_size is None or batch_size < 1:
            raise UsageError("the batch size of the loss", repr(batch_size), "call opt.estimate(batch_size)")
        else:
            given = [(p, p.grad.detach()) for p in self._measured() if p.grad is not None]
            found = {p: batch_size * _real(g) ** 2 for p, g in given}
        work: dict[Rule, list[Batch]] = {}
        for group in self._groups():
            owners, w, _ = moving_of(group)
            if not owners:
                continue
            rule = _remembering(type(self).base, type(self).remember, self._estimator() == HUTCHINSON)
            h = self._hyperparameters(group)
            for form in dict.fromkeys(rule.form(x) if rule.form else None for x in w):
                index = [i for i, x in enumerate(w) if rule.form is None or rule.form(x) == form]
                some = [owners[i] for i in index]
                estimates = [found[p] for p in some]
                batches = gathering.batches(
                    self, rule, form, group, h, some, [w[i] for i in index], estimates
                )
                for p in some:
                    self.state[p]["step"] -= 1  # it was counted, and is not taken yet
                work.setdefault(rule, []).extend(batches)
        for rule, batches in work.items():
            self._execute(rule, batches)
        self._let_go()
        self._estimated = True

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        """Take one step; where an estimate is due, make it first.

        Args:
            closure: evaluates the loss anew, with ``backward(create_graph=opt.needs_graph)``.

        Returns:
            What ``closure`` returned, or ``None``.

        Raises:
            UsageError: where an estimate is due and cannot be made.
        """
        loss = super()._step(closure)
        self._let_go()
        self._estimated = False
        return loss

    def _found(self) -> Moving:
        self._measure()
        return super()._found()

    def _again(self) -> bool:
        self._measure()
        return super()._again()

    def _measure(self) -> None:
        """Make the estimate that is due, unless it was made; the gradients are there."""
        if self._due() and not self._estimated and any(p.grad is not None for p in self._measured()):
            if self._estimator() != HUTCHINSON:
                raise UsageError(
                    f"opt.estimate(batch_size) before step {self._done() + 1}",
                    "a step without it",
                    "where opt.needs_estimate, call it after a backward pass on labels drawn from the model",
                )
            self.estimate()
        self._let_go()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, as :meth:`.method.Method.load_state_dict`."""
        self._estimated = False
        super().load_state_dict(state_dict)

    # When ----------------------------------------------------------------------------------------
    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups that are descended by this method, not routed to another."""
        return [group for group in self.param_groups if self._class(group) is type(self)]

    def _measured(self) -> Iterator[Tensor]:
        return (p for group in self._groups() for p in group["params"])

    def _done(self) -> int:
        """Return the steps taken: those of the parameter with the most."""
        return max((self.state[p].get("step", 0) for p in self._measured() if p in self.state), default=0)

    def _due(self) -> bool:
        groups = self._groups()
        return bool(groups) and self._done() % int(groups[0]["update_period"]) == 0

    def _estimator(self) -> str:
        return next((g["estimator"] for g in self._groups() if "estimator" in g), HUTCHINSON)

    # From what -----------------------------------------------------------------------------------
    def _hutchinson(self) -> dict[Tensor, Tensor]:
        """Return v ⊙ (H v) for each parameter with a gradient."""
        measured = [p for p in self._measured() if p.grad is not None]
        curved = [p for p in measured if _has_graph(p)]
        if measured and not curved:
            raise UsageError(
                f"gradients that carry their graph, for step {self._done() + 1}",
                "gradients without one",
                "call loss.backward(create_graph=opt.needs_graph), and opt.estimate() before changing them",
            )
        signs = random_signs(measured, self._done())
        with torch.enable_grad():
            # The gradient of a parameter in which the loss is linear has no graph, and no curvature.
            products = torch.autograd.grad(
                [p.grad for p in curved],  # type: ignore[misc]
                measured,
                [v for p, v in zip(measured, signs, strict=True) if _has_graph(p)],
                materialize_grads=True,
            )
        return {
            p: _real(v) * _real(product.detach())
            for p, v, product in zip(measured, signs, products, strict=True)
        }

    def _let_go(self) -> None:
        """Detach the gradients, so that nothing holds their graph any more."""
        for p in (p for group in self.param_groups for p in group["params"]):
            if _has_graph(p):
                try:
                    p.grad.detach_()
                except RuntimeError:  # a view, as of a bucket of distributed training
                    p.grad = p.grad.detach()


def random_signs(like: list[Tensor], step: int) -> list[Tensor]:
    """Return a tensor of random signs, ±1 with equal chances, for each of these.

    Args:
        like: tensors; the signs have their shapes, dtypes and devices. A complex one has signs in its real
            and in its imaginary parts.
        step: the steps taken; the same step has the same signs.
    """
    generators: dict[torch.device, torch.Generator] = {}
    found = []
    for x in like:
        if x.device not in generators:
            generators[x.device] = torch.Generator(x.device).manual_seed(step)
        # Where x is sharded, each process draws the signs of all of it: those of one process alone.
        part = Part.of(x)
        full = x if part is None else torch.empty(part.shape, dtype=x.dtype, device=x.device)
        signs = torch.empty_like(full, requires_grad=False)
        _real(signs).bernoulli_(generator=generators[x.device]).mul_(2).sub_(1)
        found.append(signs if part is None else part.share_out(signs))
    return found


@cache
def _remembering(base: Rule, remember: Callable[..., Any], signed: bool) -> Rule:
    """Return the rule that takes an estimate into the state; a signed one turns over in a climb."""
    found = base.around(remember)
    return ascent(found) if signed else found


def _has_graph(p: Tensor) -> bool:
    return p.grad is not None and p.grad.requires_grad


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


# Sophia -----------------------------------------------------------------------------------------
@rule(m=elementwise, curvature=elementwise)
def sophia(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide the mean gradient by the curvature, and clip: never farther than lr in any coordinate."""
    s.m = lerp(s.m, g, 1 - h.betas[0])
    u = s.m / maximum(h.rho * s.curvature, h.eps)
    return w - h.lr * maximum(minimum(u, 1.0), -1.0)


def _remember_curvature(w: Any, estimate: Any, s: Any, h: Any) -> Any:
    s.curvature = lerp(s.curvature, estimate, 1 - h.betas[1])
    return w


class Sophia(Curved, Method):
    """Sophia: the mean gradient over the curvature, clipped; second order at little more than Adam's cost.

    Equations, in step t; D estimates the Hessian's diagonal every update_period steps::

        h ← β₂ h + (1 − β₂) D                         D = v ⊙ (H v), v random signs; or B ĝ ⊙ ĝ
        m ← β₁ m + (1 − β₁) g
        w ← (1 − lr·λ) w − lr · clip(m / max(ρ h, ε), −1, 1)

    Where the curvature is negative or tiny, the step is lr along the sign of m.

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: the longest step in any coordinate; a little less than AdamW's.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and curvature.
        rho: ρ > 0: clips fewer coordinates where it is larger; tune it so that some 10 to 50 % of the
            coordinates are not clipped.
        weight_decay: λ ≥ 0, decoupled.
        eps: ε > 0: the least curvature.
        update_period: ≥ 1: steps from one estimate to the next.
        estimator: ``hutchinson`` (Sophia-H; needs gradients with their graph, see :attr:`needs_graph`) or
            ``gauss-newton-bartlett`` (Sophia-G; for losses that are a log-likelihood: needs
            ``opt.estimate(batch_size)`` after a backward pass on labels drawn from the model).
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter.

    Use it when: a language model is trained with few steps to waste, and its layers all have second
    derivatives. It asks for ρ to be tuned, and its gain over AdamW is disputed.

    Source: Liu et al. 2023, arXiv:2305.14342, algorithm 3.

    Differs: m / max(ρh, ε) as in the paper, where the authors' SophiaG has |m| / (ρBh + ε) with a positive
    h: the same to rounding. The batch size is a part of the estimate. An estimate is due before steps 1,
    1 + update_period, ... as in the paper.

    Example:
        >>> import torch
        >>> from descend.methods.stochastic_curvature import Sophia
        >>> model = torch.nn.Linear(3, 5)
        >>> opt = Sophia(model.parameters(), lr=1e-3, estimator="gauss-newton-bartlett")
        >>> x, y = torch.randn(8, 3), torch.randint(5, (8,))
        >>> for _ in range(20):
        ...     logits = model(x)
        ...     if opt.needs_estimate:
        ...         drawn = torch.multinomial(logits.detach().softmax(-1), 1).squeeze(-1)
        ...         torch.nn.functional.cross_entropy(logits, drawn).backward(retain_graph=True)
        ...         opt.estimate(batch_size=8)
        ...         opt.zero_grad()
        ...     torch.nn.functional.cross_entropy(logits, y).backward()
        ...     opt.step()
        ...     opt.zero_grad()
    """

    rule: ClassVar = sophia
    decay: ClassVar = decoupled_decay
    remember: ClassVar = staticmethod(_remember_curvature)
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·clip(m/max(ρh, ε), 1)"
    ranges: ClassVar = {
        "rho": ("above 0", lambda x: x > 0),
        "eps": ("above 0", lambda x: x > 0),
        "update_period": _PERIOD,
    }
    choices: ClassVar = {"estimator": (HUTCHINSON, GAUSS_NEWTON_BARTLETT)}

    lr: float = 1e-4
    betas: tuple[float, float] = (0.965, 0.99)
    rho: float = 0.04
    weight_decay: float = 0.1
    eps: float = 1e-15
    update_period: int = 10
    estimator: str = HUTCHINSON


# AdaHessian -------------------------------------------------------------------------------------
def _kernel_or_other(w: Tensor) -> str:
    return "kernel" if w.dim() > 2 else "other"


def _mean_of_kernels(x: Tensor) -> Tensor:
    """Average over the places of each convolution kernel."""
    return x.mean(tuple(range(2, x.dim())), keepdim=True).expand_as(x).clone()


@rule(form=_kernel_or_other, m=elementwise, v=elementwise.non_negative(), measured=one_a_tensor)
def adahessian(w: Any, g: Any, s: Any, h: Any) -> Any:
    """Divide the mean gradient by the root of the mean squared curvature."""
    beta1 = h.betas[0]
    s.m = lerp(s.m, g, 1 - beta1)
    # `measured` is 1 − β₂ⁿ after n estimates. What has none yet has v = 0, and stays where it is.
    root = sqrt(s.v / maximum(s.measured, 1e-30))
    if h.hessian_power != 1:
        root = root**h.hessian_power
    step = h.lr / (1 - beta1**s.step) * minimum(1e30 * s.measured, 1.0)
    return w - step * (s.m / (root + h.eps))


def _remember_square(w: Any, estimate: Any, s: Any, h: Any) -> Any:
    beta2 = h.betas[1]
    if h.spatial_averaging and s.form == "kernel":
        estimate = whole(_mean_of_kernels, absolute(estimate))
    s.v = beta2 * s.v + (1 - beta2) * (estimate * estimate)
    s.measured = beta2 * s.measured + (1 - beta2)
    return w


class AdaHessian(Curved, Method):
    """AdaHessian: Adam with the Hessian's diagonal in the place of the squared gradient.

    Equations, in step t; D = v ⊙ (H v) with random signs v, and |D| averaged over each convolution kernel::

        v ← β₂ v + (1 − β₂) D²                        v̂ = v / (1 − β₂ⁿ) after n estimates
        m ← β₁ m + (1 − β₁) g                         m̂ = m / (1 − β₁ᵗ)
        w ← (1 − lr·λ) w − lr · m̂ / (√v̂ᵏ + ε)

    Args:
        params: parameters, or groups of them, as ``torch.optim`` takes them.
        lr: > 0: a share of Newton's step in each coordinate; 0.05 to 0.3.
        betas: (β₁, β₂), each in [0, 1): the memories of gradient and squared curvature.
        eps: ε > 0: keeps the quotient finite, and damps coordinates with less curvature.
        weight_decay: λ ≥ 0, decoupled.
        hessian_power: k in [0, 1]: 1 is Newton's step, 0 plain momentum.
        update_period: ≥ 1: steps from one estimate to the next.
        spatial_averaging: average |D| over the places of each convolution kernel.
        maximize: climb instead of descending.

    Memory: 8 bytes a float32 parameter, and one number a tensor.

    Use it when: a network is badly scaled, each step may cost two to three times as much, and its layers
    all have second derivatives. Each step needs gradients with their graph, see :attr:`needs_graph`.

    Source: Yao et al. 2021, arXiv:2006.00719. Equal to ``torch_optimizer.Adahessian``.

    Differs: kernels of any number of dimensions are averaged, the authors' code takes those of pictures
    alone; ``torch_optimizer`` has hessian_power=0.5 by default, the authors' code 1. ``update_period`` is
    the paper's delay: without a new estimate v stays. The signs are drawn from the step count.

    Example:
        >>> import torch
        >>> from descend.methods.stochastic_curvature import AdaHessian
        >>> w = torch.nn.Parameter(torch.tensor([3.0, 1.0]))
        >>> opt = AdaHessian([w])
        >>> for _ in range(200):
        ...     opt.zero_grad()
        ...     loss = (torch.tensor([100.0, 1.0]) * w ** 2).sum()
        ...     loss.backward(create_graph=opt.needs_graph)
        ...     opt.step()
        >>> bool(loss < 1e-3)
        True
    """

    rule: ClassVar = adahessian
    decay: ClassVar = decoupled_decay
    remember: ClassVar = staticmethod(_remember_square)
    equation: ClassVar = "w ← (1 − lr·λ)w − lr·m̂/(√v̂ + ε),  v of the Hessian's diagonal"
    ranges: ClassVar = {"hessian_power": ("in [0, 1]", lambda x: 0 <= x <= 1), "update_period": _PERIOD}

    lr: float = 0.15
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-4
    weight_decay: float = 0.0
    hessian_power: float = 1.0
    update_period: int = 1
    spatial_averaging: bool = True
