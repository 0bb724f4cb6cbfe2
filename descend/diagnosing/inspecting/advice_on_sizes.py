"""Advice on sizes: of the last layers, and of the whole against its data."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from descend.diagnosing.inspecting.advice import Advice, Known
from descend.diagnosing.inspecting.depth import where

OVER = 5000
"""Parameters for each answer in the training data above which it is told."""
HEAVY, HEAVY_LEAST = 0.9, 1_000_000
"""A dense layer behind a flattened map with this share of so many parameters at least is told."""


def outputs_and_classes(known: Known) -> Iterator[Advice]:
    """Many more logits than there are classes; a vocabulary may have words that were not seen."""
    output, target = known.seen.output, known.target
    if not known.classes or output is None or output.ndim != 2 or target is None:
        return
    there = int(target.max()) + 1
    if known.classes > 2 * there:
        yield Advice(
            f"Give the last layer {there} outputs.",
            f"It has {known.classes}, and the classes of {len(target):,} training examples are 0 to "
            f"{there - 1}.",
        )


def bottleneck(known: Known) -> Iterator[Advice]:
    """A last layer that must tell classes apart from fewer numbers than half of them."""
    output = known.seen.output
    weighted = [c for c in known.seen.calls if c.weighted]
    if not known.classes or output is None or output.ndim != 2 or not weighted:
        return
    last = weighted[-1]
    if isinstance(last.module, nn.Linear) and not last.of_data:
        width = last.module.in_features
        if width < known.classes / 2 and width < 64:
            centred = (output.detach() - output.detach().mean(0)).float()
            rank = int(torch.linalg.matrix_rank(centred, rtol=1e-4))
            yield Advice(
                f"Widen what {where(last)} is given, to {known.classes} numbers or more.",
                f"{known.classes} logits are made from {width} numbers: those of the first batch have rank "
                f"{rank}.",
                last.name,
            )


def heavy_layer(known: Known) -> Iterator[Advice]:
    """A dense layer behind a flattened map that holds nearly all parameters."""
    total = known.shapes.parameters
    weighted = {c.name for c in known.seen.calls if c.weighted}
    for place, call in enumerate(known.seen.calls):
        if not isinstance(call.module, nn.Linear) or len(weighted) < 3 or total < HEAVY_LEAST:
            continue
        own = sum(p.numel() for p in call.module.parameters())
        maps = [c for c in known.seen.calls[:place] if isinstance(c.module, nn.modules.conv._ConvNd)]
        behind_map = maps and call.module.in_features % maps[-1].shape[1] == 0
        if own > HEAVY * total and behind_map and call.module.in_features > 4 * maps[-1].shape[1]:
            yield Advice(
                f"Pool the map before {where(call)} (nn.AdaptiveAvgPool2d), or convolve it smaller.",
                f"{where(call)} has {own:,} of {total:,} parameters ({own / total:.0%}): "
                f"{call.module.in_features:,} inputs from a map of {maps[-1].shape[1]} channels.",
                call.name,
            )


def more_parameters_than_examples(known: Known) -> Iterator[Advice]:
    """Far more parameters than answers to learn from."""
    subject = known.subject
    if not subject.problem.has_data or known.target is None or not len(subject.problem.train):
        return
    each = known.target[:1].numel()
    answers = len(subject.problem.train) * each
    if known.shapes.trainable > OVER * answers:
        yield Advice(
            "Take a smaller function, freeze most of it, or start from trained parameters.",
            f"{known.shapes.trainable:,} trainable parameters for {answers:,} answers in the training data: "
            f"{known.shapes.trainable / answers:,.0f} for each.",
        )
