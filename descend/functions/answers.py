"""From a function's outputs to an answer a person reads."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from descend.errors import UsageError, nearest


@torch.no_grad()
def outputs_of(model: nn.Module, x: Tensor, size: int = 512) -> Tensor:
    """Return a function's outputs for all rows of ``x``, on the CPU; its mode is put back afterwards.

    Args:
        model: called in eval mode, on the device of its parameters.
        x: inputs, shape (n, ...).
        size: rows at a time.
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        return torch.cat([model(part.to(device)).cpu() for part in x.split(size)])
    finally:
        model.train(training)


def class_answers(model: nn.Module, x: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the most probable class of each row, and its probability.

    Args:
        model: inputs (n, ...) → logits (n, classes).
        x: the inputs.
        classes: the names, in the order of the logits.

    Returns:
        For each row ``{"prediction": name, "probability": 0 to 1}``.
    """
    probability, index = outputs_of(model, x).double().softmax(-1).max(-1)
    return [
        {"prediction": classes[i], "probability": p}
        for i, p in zip(index.tolist(), probability.tolist(), strict=True)
    ]


def known_options(options: Mapping[str, Any], **defaults: Any) -> dict[str, Any]:
    """Return the options of a prediction, filled up with their defaults.

    Args:
        options: what the person gave.
        defaults: every option there is, with its default.

    Raises:
        UsageError: where one is not known.
    """
    for name in options:
        if name not in defaults:
            do = nearest(name, list(defaults)) if defaults else "leave it out"
            raise UsageError("an option that this run's predictions take", name, do)
    return {**defaults, **options}
