"""Losses and metrics by name.

A loss is what descent makes smaller: a differentiable mean over the batch. A metric is what a person
asks about: summed over all validation examples and finished once, so that R² is R² of the whole set
and not a mean of R²s of its parts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from descend.errors import DataError, UsageError, nearest

Loss = Callable[..., Tensor]


def _same_shape(output: Tensor, target: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Refuse what broadcasting would silently turn into a wrong loss."""
    if output.shape != target.shape:
        if output.numel() == target.numel() and output.squeeze(-1).shape == target.squeeze(-1).shape:
            # (n, 1) beside (n,): one meaning only, and the classic trap where broadcast to (n, n).
            return output.squeeze(-1), target.squeeze(-1)
        raise DataError(
            f"output and target of one shape for {name}",
            f"output {tuple(output.shape)} and target {tuple(target.shape)}",
            "change the function's last layer or the target's shape",
        )
    return output, target


def difference(output: Tensor, target: Tensor) -> Tensor:
    """Return the residuals whose mean square :func:`mse` is, in the output's format."""
    output, target = _same_shape(output, target, "mse")
    return output - target.to(output.dtype)


def mse(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of (n, ...) outputs and targets of the same shape."""
    output, target = _same_shape(output, target, "mse")
    return F.mse_loss(output, target.to(output.dtype))


def mae(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of (n, ...) outputs and targets of the same shape."""
    output, target = _same_shape(output, target, "mae")
    return F.l1_loss(output, target.to(output.dtype))


def huber(output: Tensor, target: Tensor) -> Tensor:
    """Huber's loss (threshold 1) of (n, ...) outputs and targets of the same shape."""
    output, target = _same_shape(output, target, "huber")
    return F.huber_loss(output, target.to(output.dtype))


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits (n, classes) or (n, length, classes) with class numbers, in nats."""
    if output.ndim == 3:
        output, target = output.flatten(0, 1), target.flatten()
    if output.ndim != 2 or target.shape != output.shape[:1]:
        raise DataError(
            "logits (n, classes) and class numbers (n) for cross_entropy",
            f"output {tuple(output.shape)} and target {tuple(target.shape)}",
            "change the function's last layer or the target's shape",
        )
    return F.cross_entropy(output, target)


def binary_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits and targets in [0, 1] of one shape, in nats."""
    output, target = _same_shape(output, target, "binary_cross_entropy")
    return F.binary_cross_entropy_with_logits(output, target.to(output.dtype))


LOSSES: dict[str, Loss] = {
    "mse": mse,
    "mae": mae,
    "huber": huber,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
}


class OfEach:
    """A loss in which every member of a function answers for itself: the mean over examples and members.

    Outputs of one answer an example pass as they are.

    Args:
        loss: of one member.
        more: dimensions of its output that the target lacks: 1 for the logits of classes, otherwise 0.

    Attributes:
        loss: of one member.

    Example:
        >>> OfEach(mse)(torch.tensor([[0.0, 4.0]]), torch.tensor([1.0]))
        tensor(5.)
    """

    def __init__(self, loss: Loss, more: int = 0):
        self.loss, self.more = loss, more
        self.__name__ = loss.__name__

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Args:
            output: of shape (n, members, ...), or (n, ...).
            target: of shape (n, ...).
        """
        if output.ndim > target.ndim + self.more:
            target = target[:, None].expand(-1, output.shape[1], *target.shape[1:])
        return self.loss(output, target)


@dataclass(frozen=True)
class Metric:
    """A figure a person asks about.

    Attributes:
        name: as it appears in records and reports.
        sums: (output, target) of one batch → a float64 tensor of sums, added over batches.
        finish: the total sums, as floats → the figure.
        larger_is_better: the direction.
        chooses: whether it tells which parameters are best; where examples to choose by are few, the loss
            tells it with less chance in it than a count of right answers.
    """

    name: str
    sums: Callable[[Tensor, Tensor], Tensor]
    finish: Callable[[list[float]], float]
    larger_is_better: bool = True
    chooses: bool = True


def _count(x: Tensor) -> Tensor:
    return torch.tensor(float(x.numel()), dtype=torch.float64, device=x.device)


def _accuracy(output: Tensor, target: Tensor) -> Tensor:
    if output.shape == target.shape:  # one logit: binary
        right = (output > 0) == (target > 0.5)
    else:
        right = output.argmax(-1) == target
    return torch.stack([right.sum().double(), _count(right)])


def _squares(output: Tensor, target: Tensor) -> Tensor:
    output, target = _same_shape(output, target, "r2")
    y, e = target.double(), output.double() - target.double()
    return torch.stack([(e * e).sum(), y.sum(), (y * y).sum(), _count(y)])


def _r2(sums: list[float]) -> float:
    error, total, squares, n = sums
    variance = squares - total * total / n
    return 1 - error / variance if variance > 0 else float("nan")


def _absolutes(output: Tensor, target: Tensor) -> Tensor:
    output, target = _same_shape(output, target, "mae")
    e = (output - target).abs()
    return torch.stack([e.double().sum(), _count(e)])


def _mean(sums: list[float]) -> float:
    return sums[0] / sums[1]


def bits_per_character(lengths: Tensor | None = None) -> Metric:
    """Return the metric of logits (n, length, tokens): what a character takes when the text is compressed.

    Args:
        lengths: how many characters each token stands for, of shape (tokens,); by default one.
    """

    def sums(output: Tensor, target: Tensor) -> Tensor:
        bits = cross_entropy(output, target).double() * target.numel() / math.log(2)
        count = _count(target) if lengths is None else lengths.to(target.device)[target].sum()
        return torch.stack([bits, count])

    return Metric("bits-per-character", sums, _mean, larger_is_better=False)


METRICS: dict[str, Metric] = {
    m.name: m
    for m in [
        Metric("accuracy", _accuracy, _mean),
        Metric("r2", _squares, _r2),
        Metric("rmse", _squares, lambda s: (s[0] / s[3]) ** 0.5, larger_is_better=False),
        Metric("mae", _absolutes, _mean, larger_is_better=False),
        bits_per_character(),
    ]
}


def loss_by_name(loss: "str | Loss | None") -> "Loss | None":
    """Return a loss from its name; a callable is returned as it is.

    Raises:
        UsageError: where no loss has this name.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise UsageError("the name of a loss", repr(loss), nearest(loss, list(LOSSES)))
    return LOSSES[loss]


def metric_by_name(metric: "str | Metric | Callable[[Tensor, Tensor], Tensor] | None") -> "Metric | None":
    """Return a metric from its name.

    A callable (output, target) → number is averaged over examples, weighted by batch size, and taken
    to be better when larger.

    Raises:
        UsageError: where no metric has this name.
    """
    if metric is None or isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric not in METRICS:
            raise UsageError("the name of a metric", repr(metric), nearest(metric, list(METRICS)))
        return METRICS[metric]
    function = metric

    def sums(output: Tensor, target: Tensor) -> Tensor:
        n = float(len(target))
        return torch.tensor([float(function(output, target)) * n, n], dtype=torch.float64)

    return Metric(getattr(metric, "__name__", "metric"), sums, _mean)
