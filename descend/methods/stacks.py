"""Functions of whole tensors over lists: tensors of equal shapes go in stacks, where that is faster.

A function may carry ``stacked``: the same with one more dimension in front of every tensor, those it is given
and the one it returns; numbers stay as they are. Stacks are made for the call: a function that carries
``in_place`` may overwrite the first.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

SMALL = {"cpu": 1 << 12}
"""Elements of the largest argument up to which stacks are faster, by the kind of device."""

SMALL_ELSEWHERE = 1 << 20
"""The same of other devices: a product of two such matrices fills a GPU by itself."""

TOGETHER = {"cpu": 1 << 18}
"""Elements of the largest argument in one stack, by the kind of device: 1 MiB, however many there are."""

TOGETHER_ELSEWHERE = 1 << 26
"""The same of other devices: 256 MiB of float32."""


def over(
    function: Callable[..., Tensor],
    columns: Sequence[Sequence[Tensor]],
    numbers: Sequence[Any],
    in_place: bool = False,
) -> list[Tensor]:
    """Return the function of the first of all columns, of the second, and so on.

    Args:
        function: takes a tensor of each column, then the numbers.
        columns: lists of equal length.
        numbers: the same for all.
        in_place: change the tensors of the first column, and return them; the function carries ``in_place``.
    """
    alone = getattr(function, "in_place") if in_place else function  # noqa: B009
    stacked = getattr(function, "stacked", None)
    found: list[Any] = [None] * len(columns[0])
    for index in _alike(columns, stacked is not None):
        if len(index) == 1:
            found[index[0]] = alone(*(column[index[0]] for column in columns), *numbers)
            continue
        assert stacked is not None
        result = stacked(*(torch.stack([column[i] for i in index]) for column in columns), *numbers).unbind()
        if in_place:
            places = [columns[0][i] for i in index]
            torch._foreach_copy_(places, list(result))
            result = places
        for i, x in zip(index, result, strict=True):
            found[i] = x
    return found


def _alike(columns: Sequence[Sequence[Tensor]], stackable: bool) -> Iterator[list[int]]:
    """Group the numbers of the tensors by shapes; what is better alone is alone."""
    if not stackable or len(columns[0]) == 1:
        yield from ([i] for i in range(len(columns[0])))
        return
    groups: dict[Any, list[int]] = {}
    for i, own in enumerate(zip(*columns, strict=True)):
        groups.setdefault((*((x.shape, x.dtype, x.device) for x in own),), []).append(i)
    for key, index in groups.items():
        largest = max(shape.numel() for shape, *_ in key)
        small = SMALL.get(key[0][2].type, SMALL_ELSEWHERE)
        room = TOGETHER.get(key[0][2].type, TOGETHER_ELSEWHERE)
        most = max(1, room // max(largest, 1)) if largest <= small else 1
        yield from (index[k : k + most] for k in range(0, len(index), most))
