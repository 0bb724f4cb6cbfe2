"""What to change in the architecture: each word of advice with what was measured, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from descend.diagnosing.inspecting.advice import Advice, Known
from descend.diagnosing.inspecting.advice_on_layers import (
    activation_at_the_end,
    bias_before_norm,
    dropout_before_norm,
    no_activation,
)
from descend.diagnosing.inspecting.advice_on_signals import (
    start_of_the_last_layer,
    through_the_depth,
    unscaled_inputs,
    unused_parameters,
)
from descend.diagnosing.inspecting.advice_on_sizes import (
    bottleneck,
    heavy_layer,
    more_parameters_than_examples,
    outputs_and_classes,
)

RULES: tuple[Callable[[Known], Iterator[Advice]], ...] = (
    activation_at_the_end,
    no_activation,
    unscaled_inputs,
    through_the_depth,
    start_of_the_last_layer,
    outputs_and_classes,
    bottleneck,
    unused_parameters,
    dropout_before_norm,
    bias_before_norm,
    heavy_layer,
    more_parameters_than_examples,
)


def advice(known: Known) -> list[Advice]:
    """Return what to change, the most harmful first."""
    return [one for rule in RULES for one in rule(known)]
