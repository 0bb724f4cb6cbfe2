"""The product of one batch's curvature matrix with a vector, for each kind of curvature.

Each is a function of a :class:`Part` and returns the product, a function of a vector, so that what does not
depend on the vector is computed once. Vectors are dicts of tensors, as the parameters are.

All go backwards, and backwards again: J v is the derivative of Jᵀ u in u. Forward mode would need a vector
less, but it knows fewer functions and takes longer (a Gauss-Newton product of a small transformer: 34 ms
against 21, and 10 for each further vector). Nor does ``vmap`` multiply several vectors at once. In torch 2.13
both are wrong for the second derivatives of ``layer_norm``, silently: backwards through forward mode, and
anything under ``vmap`` where input and weight both move.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import grad, vjp
from torch.utils._pytree import tree_leaves, tree_map

from descend.errors import DataError
from descend.functions.measures import Loss, OfEach, binary_cross_entropy, cross_entropy, huber, mae, mse

Values = Mapping[str, Tensor]
Product = Callable[[Values], dict[str, Tensor]]
Metric = Callable[[Any], Any]
"""A linear map on the outputs: J v → H J v."""

Sampler = Callable[[Any, torch.Generator], Any]
"""(outputs, generator) → targets drawn from the distribution that the outputs stand for."""


@dataclass(frozen=True)
class Part:
    """One batch, and the function at the parameters in question.

    Attributes:
        model: parameters → outputs for the batch; where ``loss`` is ``None``, the loss.
        values: the parameters.
        loss: (outputs, target) → the mean over the batch.
        target: the batch's.
        size: examples in it.
        sample: what draws targets from the outputs.
        generators: one for each time that it is to draw.
    """

    model: Callable[[Values], Any]
    values: Values
    loss: Loss | None
    target: Any
    size: int
    sample: Sampler | None
    generators: tuple[torch.Generator, ...]

    def loss_of(self, outputs: Any, target: Any) -> Tensor:
        """Return the loss as a scalar.

        Raises:
            DataError: where it is not one number.
        """
        found = outputs if self.loss is None else self.loss(outputs, target)
        if not isinstance(found, Tensor) or found.numel() != 1:
            came = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise DataError("a loss that is one number", came, "return a mean over the batch")
        return found.reshape(())


def hessian(part: Part) -> Product:
    """Return v → ∇²L v."""
    back = vjp(grad(lambda values: part.loss_of(part.model(values), part.target)), part.values)[1]
    return lambda v: back(v)[0]


def gauss_newton(part: Part) -> Product:
    """Return v → Jᵀ H J v."""
    return _through(part, lambda outputs: _loss_hessian(part, outputs))


def fisher(part: Part) -> Product:
    """Return v → Jᵀ E[∇ℓ ∇ℓᵀ] J v: in closed form, or over targets that ``sample`` draws."""

    def metric(outputs: Any) -> Metric:
        if part.sample is None:
            assert part.loss is not None
            factor = information(part.loss)
            if factor is None:
                return _loss_hessian(part, outputs)
            return lambda along: along * (factor / along.numel())
        return _outer(part, outputs, [part.sample(outputs, g) for g in part.generators])

    return _through(part, metric)


def empirical_fisher(part: Part) -> Product:
    """Return v → mean of ∇ℓ ∇ℓᵀ v over the examples."""
    return _through(part, lambda outputs: _outer(part, outputs, [part.target]))


KINDS: dict[str, Callable[[Part], Product]] = {
    "hessian": hessian,
    "gauss-newton": gauss_newton,
    "fisher": fisher,
    "empirical-fisher": empirical_fisher,
}


def _through(part: Part, metric_at: Callable[[Any], Metric]) -> Product:
    """Return v → Jᵀ metric(J v)."""
    outputs, back = vjp(part.model, part.values)[:2]
    if any(o.ndim == 0 or len(o) != part.size for o in tree_leaves(outputs)):
        shapes = ", ".join(str(tuple(o.shape)) for o in tree_leaves(outputs))
        raise DataError(f"outputs whose first dimension counts {part.size} examples", shapes, "return these")
    metric = metric_at(outputs)
    along = vjp(lambda u: back(u)[0], tree_map(torch.zeros_like, outputs))[1]
    return lambda v: back(metric(along(v)[0]))[0]


def _loss_hessian(part: Part, outputs: Any) -> Metric:
    back = vjp(grad(lambda o: part.loss_of(o, part.target)), outputs)[1]
    return lambda along: back(along)[0]


def _outer(part: Part, outputs: Any, targets: list[Any]) -> Metric:
    """Return the mean over examples, and targets of each, of the gradient's outer product in the outputs.

    Given the outputs, no example's loss depends on another's: the gradient of their mean holds that of each,
    divided by their number.
    """
    gradients = [grad(lambda o, t=t: part.loss_of(o, t))(outputs) for t in targets]
    stacked = tree_map(lambda *each: torch.stack(each), *gradients)  # (targets, examples, ...)

    def metric(along: Any) -> Any:
        pairs = zip(tree_leaves(stacked), tree_leaves(along), strict=True)
        inner = torch.stack([(g * a).flatten(2).sum(2) if g.ndim > 2 else g * a for g, a in pairs]).sum(0)
        inner.mul_(part.size / len(targets))
        return tree_map(lambda g: (g * inner.reshape(*inner.shape, *[1] * (g.ndim - 2))).sum(0), stacked)

    return metric


# The Fisher matrix in closed form ----------------------------------------------------------------
_INSIDE = math.sqrt(2 * math.pi) * math.erf(math.sqrt(0.5))

_OWN_HESSIAN = None
_INFORMATION: list[tuple[Loss, Callable[..., Tensor], type[nn.Module], float | None]] = [
    (cross_entropy, F.cross_entropy, nn.CrossEntropyLoss, _OWN_HESSIAN),
    (binary_cross_entropy, F.binary_cross_entropy_with_logits, nn.BCEWithLogitsLoss, _OWN_HESSIAN),
    (mse, F.mse_loss, nn.MSELoss, 2.0),
    # Laplace's distribution, and exp(−huber): normal within 1 of the middle, Laplace's beyond. There the
    # information is the chance to be within.
    (mae, F.l1_loss, nn.L1Loss, 1.0),
    (huber, F.huber_loss, nn.HuberLoss, _INSIDE / (_INSIDE + 2 * math.exp(-0.5))),
]
"""Losses that are −log p of a known distribution, with the Fisher information E[ℓ'²] of one number.

Of a loss that is a mean over several numbers or tokens an example, each counts as an observation. With
``None`` the loss's own Hessian is the information, whatever the target: it is an exponential family in its
natural parameters (Martens 2020, arXiv:1412.1193).
"""

INFORMED = [row[0].__name__ for row in _INFORMATION]
"""The names of these losses."""


def known(loss: Loss | None) -> bool:
    """Return whether the Fisher matrix of a loss is known in closed form."""
    return _row_of(loss) is not None


def information(loss: Loss) -> float | None:
    """Return E[ℓ'²] of one number under a known loss's own distribution; ``None`` for its own Hessian."""
    row = _row_of(loss)
    assert row is not None
    return row[3]


def _row_of(loss: Loss | None) -> tuple[Loss, Callable[..., Tensor], type[nn.Module], float | None] | None:
    if isinstance(loss, OfEach):
        return _row_of(loss.loss)
    for row in _INFORMATION:
        if loss in row[:2] or (type(loss) is row[2] and _plain(loss)):
            return row
    return None


def _plain(loss: Any) -> bool:
    """Whether a loss module is the mean that its function is, without weights of its own."""
    weights = [getattr(loss, name, None) for name in ("weight", "pos_weight")]
    return loss.reduction == "mean" and weights == [None, None] and getattr(loss, "delta", 1.0) == 1.0
