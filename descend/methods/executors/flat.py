"""Tensors as rows of numbers in memory: what is elementwise needs their elements in one order."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from descend.methods.rule import Kept


def flat(
    places: dict[str, list[Tensor]], kept: Mapping[str, Kept], temporaries: bool
) -> tuple[dict[str, list[Tensor]], list[tuple[Tensor, Tensor]]]:
    """Return tensors whose elements lie in one order, and what is to be copied back afterwards.

    Args:
        places: tensors by the name of the place.
        kept: what the rule keeps.
        temporaries: whether there are tensors beside these, which are contiguous.
    """
    if all(all(map(Tensor.is_contiguous, values)) for values in places.values()):
        return dict(places), []
    result = {name: list(values) for name, values in places.items()}
    copied = []
    alike = [n for n in places if n in ("w", "g") or kept[n].kind == "elementwise"]
    for i, w in enumerate(places["w"]):
        same = all(places[n][i].stride() == w.stride() for n in alike)
        if not temporaries and same and torch.empty_like(w).stride() == w.stride():
            continue  # dense, and all in the same order
        for name in alike:
            x = places[name][i]
            if not x.is_contiguous():
                result[name][i] = x.contiguous()
                if name != "g":
                    copied.append((x, result[name][i]))
    for name in places.keys() - set(alike):
        for i, x in enumerate(places[name]):
            if not x.is_contiguous():
                result[name][i] = x.contiguous()
                copied.append((x, result[name][i]))
    return result, copied
