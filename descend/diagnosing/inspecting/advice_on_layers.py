"""Advice on what stands between layers, before norms, and at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from descend.diagnosing.inspecting.advice import Advice, Known, listed
from descend.diagnosing.inspecting.calls import BOUNDED, RECTIFIERS, Call, behind
from descend.diagnosing.inspecting.chance import classes_last, kind_of
from descend.diagnosing.inspecting.depth import where

PASSING = ("dropout", "dropout1d", "dropout2d", "dropout3d", "identity", "flatten", "unflatten")
"""Layers that change nothing but a shape, or the size of some values."""
SHIFT = 0.1
"""The share by which dropout must change the variance that a batch norm sees."""


def no_activation(known: Known) -> Iterator[Advice]:
    """A linear layer that is given the very output of another one, which is no bottleneck."""
    calls = known.seen.calls
    for place, call in enumerate(calls):
        if not isinstance(call.module, nn.Linear):
            continue
        before = list(behind(calls, place, PASSING))
        if not before or not isinstance(before[-1].module, nn.Linear) or before[-1].module is call.module:
            continue
        first = before[-1].module
        if first.out_features < min(first.in_features, call.module.out_features):
            continue  # a factorised matrix, on purpose
        yield Advice(
            f"Put an activation between {where(before[-1])} and {where(call)}.",
            f"{where(call)} is given the very output of {where(before[-1])}: together they are one linear "
            f"layer of {first.in_features} → {call.module.out_features}.",
            call.name,
        )


def activation_at_the_end(known: Known) -> Iterator[Advice]:
    """A softmax or sigmoid that the loss applies once more, or a range that misses the target."""
    output, kind, target = known.seen.output, kind_of(known.subject.problem.loss), known.target
    if output is None or not output.is_floating_point() or not known.seen.calls:
        return
    output, last = output.detach().float(), known.seen.calls[-1]
    if kind == "cross_entropy":
        classes = -1 if classes_last(known.subject.problem.loss) else 1
        sums = output.sum(classes)
        if output.shape[classes] > 1 and float(output.min()) >= 0 and bool(((sums - 1).abs() < 1e-3).all()):
            yield Advice(
                "Leave out the softmax at the end: cross_entropy takes logits, and applies one itself.",
                "Every output lies in [0, 1] and they add up to 1 for each example; so taken, the loss "
                f"cannot fall below {math.log(1 + (output.shape[classes] - 1) / math.e):.3g}.",
                last.name,
            )
            return
    if kind == "binary_cross_entropy" and last.activation == "sigmoid":
        yield Advice(
            "Leave out the sigmoid at the end: the loss takes logits, and applies one itself.",
            f"Every output lies in [{float(output.min()):.2g}, {float(output.max()):.2g}]; so taken, an "
            "answer is never surer than 73%.",
            last.name,
        )
        return
    if kind in ("cross_entropy", "binary_cross_entropy") and last.activation in RECTIFIERS:
        yield Advice(
            f"Leave out the {last.activation} at the end: logits may be negative.",
            f"{float((output == 0).float().mean()):.0%} of the outputs are exactly zero, and pass no "
            "gradient.",
            last.name,
        )
        return
    low = BOUNDED.get(last.activation, 0.0 if last.activation in RECTIFIERS else None)
    if kind in ("mse", "mae") and low is not None and target is not None:
        high = math.inf if last.activation in RECTIFIERS else 1.0
        values = target.float()
        outside = float(((values < low) | (values > high)).float().mean())
        if outside > 0:
            yield Advice(
                f"Leave out the {last.activation} at the end, or scale the target into its range.",
                f"{outside:.0%} of the targets lie outside of what it can give ({low:g} to {high:g}): they "
                f"reach from {float(values.min()):.3g} to {float(values.max()):.3g}.",
                last.name,
            )


def bias_before_norm(known: Known) -> Iterator[Advice]:
    """Biases that the mean of a batch takes away again: their gradient is zero."""
    calls = known.seen.calls
    names = {m: n for n, m in known.function.named_modules()}
    found: list[tuple[str, int, float]] = []
    for call in calls:
        if not isinstance(call.module, nn.modules.batchnorm._BatchNorm) or not call.module.training:
            continue
        before = calls[call.follows] if call.follows >= 0 else None
        bias = getattr(before.module, "bias", None) if before is not None and before.weighted else None
        if before is None or not isinstance(bias, Tensor) or before.module is None:
            continue
        name = names[before.module]
        gradient = known.seen.gradients.get(f"{name}.bias", math.nan)
        weight = known.seen.gradients.get(f"{name}.weight", math.nan)
        if gradient < 1e-3 * weight:
            found.append((name, bias.numel(), gradient / weight))
    if found:
        names_, counts, ratios = zip(*found, strict=True)
        yield Advice(
            f"Give {listed(names_)} bias=False: the batch norm behind takes every bias away again.",
            f"{sum(counts):,} parameters whose gradient is {max(ratios):.0e} of that of the weights beside "
            "them.",
            names_[0],
        )


def dropout_before_norm(known: Known) -> Iterator[Advice]:
    """Dropout whose extra variance goes into a batch norm's statistics, though it ends with training."""
    calls = known.seen.calls
    linear = (
        *PASSING,
        "linear",
        "conv1d",
        "conv2d",
        "conv3d",
        *(f"{n}pool{d}d" for n in ("avg", "max") for d in (1, 2, 3)),
    )
    for place, call in enumerate(calls):
        if not isinstance(call.module, nn.modules.batchnorm._BatchNorm):
            continue
        drops = [
            c
            for c in behind(calls, place, linear)
            if isinstance(c.module, nn.modules.dropout._DropoutNd) and c.module.p > 0
        ]
        if not drops or not isinstance(call.module, nn.Module):
            continue
        trained, evaluated = _variances(known, call, drops[-1])
        if evaluated > 0 and trained > (1 + SHIFT) * evaluated:
            yield Advice(
                f"Put {where(drops[-1])} behind the last batch norm.",
                f"With dropout the variance that {where(call)} is given is {trained / evaluated:.2f} times "
                "that without; its running average is of training, and is wrong in evaluation.",
                call.name,
            )
            return


@torch.no_grad()
def _variances(known: Known, call: Call, drop: Call) -> tuple[float, float]:
    """Return the mean variance that a batch norm is given, with a dropout and without it."""
    assert call.module is not None and isinstance(drop.module, nn.modules.dropout._DropoutNd)
    found: list[float] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        x = given[0].float()
        found.append(float(x.transpose(0, 1).flatten(1).var(1, correction=0).mean()))

    handle = call.module.register_forward_pre_hook(note)
    share = drop.module.p
    try:
        for p in (share, 0.0):
            drop.module.p = p
            with known.subject.random():
                known.subject.problem.loss_of(known.function, known.subject.batch)
    finally:
        drop.module.p = share
        handle.remove()
    return found[0], found[-1]
