"""The oracle: a rule as plain torch, one tensor at a time, in any dtype.

Nothing is fused, reordered or updated in place: what the rule says is what is computed.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from descend.methods import equations
from descend.methods.executors import sharded
from descend.methods.executors.formats import widest
from descend.methods.rule import Batch, Namespace, Rule


def run(rule: Rule, batches: Sequence[Batch]) -> None:
    """Take one step, writing into what the batches hold.

    Args:
        rule: the equations.
        batches: one a parameter group.
    """
    batches, closing = sharded.local_and_opened(rule, batches)
    batches, back = sharded.gathered(rule, batches)
    # A `total` needs every tensor's share before any can go on. The rule is pure, so it is simply run
    # again from the start each time one more total is known.
    known: list[Tensor] = []
    while True:
        results: list[list[tuple[Tensor, Any]]] = []
        shares = []
        for batch in batches:
            for i in range(len(batch.w)):
                try:
                    with equations.totals(known):
                        results.append(_once(rule, batch, i))
                except equations.Cut as cut:
                    shares.append(cut.share)
        if not shares:
            break
        known.append(torch.stack([x.to(shares[0].device) for x in shares]).sum())
    for places in results:
        for place, value in places:
            place.copy_(value)
    for part, place, value in back:
        place.copy_(part.own(value))
    for close in closing:
        close()


def _once(rule: Rule, batch: Batch, i: int) -> list[tuple[Tensor, Any]]:
    """Run the rule on tensor ``i``: where to write, and what."""
    places = {name: values[min(i, len(values) - 1)] for name, values in batch.kept.items()}
    w, g = batch.w[i], batch.g[i]
    dtype = widest([w, g, *places.values()])
    s = SimpleNamespace(
        step=batch.steps[i], form=batch.form, **{name: x.to(dtype) for name, x in places.items()}
    )
    new = rule.equations(w.to(dtype), g.to(dtype), s, Namespace(batch.hyperparameters))
    results = [(w, new)]
    for name, place in places.items():
        if rule.kept[name].kind != "all" or i == 0:  # the numbers for all come out the same every time
            results.append((place, getattr(s, name)))
    # A rule may hand back what it was given (s.a, s.b = s.b, s.a), which is about to be overwritten, or a
    # plain number, which torch would take for float32.
    return [
        (place, value.clone() if isinstance(value, Tensor) else torch.full_like(place, value))
        for place, value in results
    ]
