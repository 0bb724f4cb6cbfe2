"""Advice on signals: inputs, first outputs, and what reaches which layer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from descend.diagnosing.inspecting.advice import Advice, Known, listed
from descend.diagnosing.inspecting.calls import BOUNDED
from descend.diagnosing.inspecting.depth import GROWS, SHRINKS, STEPS, where

UNSCALED_MEAN, UNSCALED_STD, SPREAD = 10.0, 10.0, 1000.0
"""Inputs of a first layer beyond these are called unscaled; between features, the ratio of deviations."""


def unscaled_inputs(known: Known) -> Iterator[Advice]:
    """Numbers far from zero, or features of very different sizes, at a first layer."""
    for call in known.seen.calls:
        if not call.weighted or not call.of_data or not math.isfinite(call.input_std):
            continue
        what = ""
        if abs(call.input_mean) > UNSCALED_MEAN or call.input_std > UNSCALED_STD:
            what = f"mean {call.input_mean:.3g} and standard deviation {call.input_std:.3g}"
        elif call.spread > SPREAD:
            what = f"features whose standard deviations differ by a factor of {call.spread:,.0f}"
        if what:
            yield Advice(
                f"Standardise the inputs before {where(call)}: subtract the mean, divide by the standard "
                "deviation.",
                f"It is given numbers of {what}.",
                call.name,
            )
        return


def start_of_the_last_layer(known: Known) -> Iterator[Advice]:
    """A first loss that is far above chance."""
    chance = known.chance
    if (
        chance.fine is not False
        or chance.chance is None
        or not math.isfinite(chance.start)
        or not chance.chance
    ):
        return
    if any(True for _ in unscaled_inputs(known)):  # that is why
        return
    if chance.guess is not None and chance.start > 2 * chance.guess:
        last = next((c for c in reversed(known.seen.calls) if c.weighted), None)
        yield Advice(
            f"Start {where(last) if last else 'the last layer'} smaller, so that first outputs are near "
            "zero.",
            f"The loss starts at {chance.start:.3g}, and guessing gives {chance.guess:.3g}.",
            last.name if last else "",
        )
    elif chance.guess is None and chance.constant and chance.start > 4 * chance.constant:
        yield Advice(
            "Standardise the target, or start the last bias at its mean and the last weights small.",
            f"The loss starts at {chance.start:.3g}, and the best constant answer gives "
            f"{chance.constant:.3g}.",
        )


def through_the_depth(known: Known) -> Iterator[Advice]:
    """Signals that end, or shrink and grow through many layers."""
    depth, calls = known.depth, known.seen.calls
    if depth.dead:
        yield Advice(
            f"Find what cuts {listed([name or 'the function' for name in depth.dead])} off from the loss.",
            f"The gradient there is exactly 0, at the start and after {STEPS} steps.",
            depth.dead[0],
        )
    if depth.fine is False and not depth.dead:
        normed = any("Norm" in c.kind for c in calls)
        for what, factor in (("gradients", depth.gradient), ("outputs", depth.signal)):
            if math.isfinite(factor) and not SHRINKS <= factor <= GROWS and what in depth.verdict.lower():
                saturated = next((c.activation for c in calls if c.activation in BOUNDED), "")
                do = "Start the weights for the activation (He: std √(2/inputs) for relu)"
                if saturated == "sigmoid":
                    do = "Take relu or gelu in place of sigmoid"
                yield Advice(
                    f"{do}{'' if normed else ', and add norms or residual connections between the layers'}.",
                    f"Through {depth.weighted - 1} layers, {what} change by a factor of {factor:.2g} a "
                    "layer.",
                )
                break
    if any(True for _ in unscaled_inputs(known)):  # that is why
        return
    for call in calls:
        if call.dead > 0.5 and call.name not in depth.dead:
            yield Advice(
                f"Start the layer before {where(call)} otherwise (biases at zero, weights of std "
                "√(2/inputs)).",
                f"{call.dead:.0%} of its units are zero for every one of {known.subject.examples} examples.",
                call.name,
            )
        elif call.saturated > 0.5:
            yield Advice(
                f"Scale down what {where(call)} is given: smaller first weights, or a norm before it.",
                f"{call.saturated:.0%} of its values are within 3% of an end of its range, where the "
                "gradient is nearly zero.",
                call.name,
            )


def unused_parameters(known: Known) -> Iterator[Advice]:
    """Trainable parameters that no gradient came to."""
    unused = known.seen.unreached
    if not unused:
        return
    count = sum(p.numel() for n, p in known.function.named_parameters() if n in set(unused))
    yield Advice(
        f"Use {listed(unused)} in forward, or take {'it' if len(unused) == 1 else 'them'} out.",
        f"{count:,} parameters of {known.shapes.trainable:,} get no gradient from the loss of the first "
        "batch.",
        unused[0],
    )
