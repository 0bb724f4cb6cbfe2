"""The oracle: a rule as plain torch, one tensor at a time, in any dtype.

Nothing is fused, reordered or updated in place: what the rule says is what is computed.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from descend.methods import equations
from descend.methods.rule import Namespace, Rule


def run(
    rule: Rule,
    w: Sequence[Tensor],
    g: Sequence[Tensor],
    kept: Mapping[str, Sequence[Tensor]],
    steps: Sequence[int],
    hyperparameters: Mapping[str, Any],
) -> None:
    """Take one step, writing into ``w`` and ``kept``.

    Args:
        rule: the equations.
        w: parameters.
        g: their gradients, never written to.
        kept: for each quantity kept, one tensor a parameter.
        steps: each parameter's own step count, this step included.
        hyperparameters: by torch's names.
    """
    h = Namespace(hyperparameters)

    def once(i: int) -> tuple[Tensor, dict[str, Any]]:
        s = SimpleNamespace(step=steps[i], **{name: values[i] for name, values in kept.items()})
        new = rule.equations(w[i], g[i], s, h)
        return new, {name: getattr(s, name) for name in kept}

    # A `total` needs every tensor's part before any can go on. The rule is pure, so it is simply run
    # again from the start each time one more total is known.
    known: list[Tensor] = []
    while True:
        results, parts = [], []
        for i in range(len(w)):
            try:
                with equations.totals(known):
                    results.append(once(i))
            except equations.Cut as cut:
                parts.append(cut.part)
        if not parts:
            break
        known.append(torch.stack(parts).sum())
    for i, (new, state) in enumerate(results):
        for name, value in state.items():
            kept[name][i].copy_(value if isinstance(value, Tensor) else torch.as_tensor(value))
        w[i].copy_(new)
