"""In which number format a rule runs, and how places in other formats are opened for it and closed again."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce

import torch
from torch import Tensor

from descend.methods.rule import Batch
from descend.parameters import formats, noise
from descend.parameters.formats import Format


def widest(tensors: Iterable[Tensor]) -> torch.dtype:
    """Return the dtype that holds the numbers of all these tensors.

    A rule runs in the widest dtype among a parameter, its gradient and what is kept for it: float32
    state beside bfloat16 parameters is computed with in float32, and each result is rounded once, when
    it is stored.
    """
    return reduce(torch.promote_types, {x.dtype for x in tensors})


def opened(
    batch: Batch, indices: Callable[[int, Tensor], Tensor] | None = None
) -> tuple[Batch, Callable[[], None]]:
    """Return a batch of plain tensors, and what stores them again after the step.

    Args:
        batch: perhaps with places in number formats of their own.
        indices: which elements of the whole parameter these are: (which of the batch, tensor) → int32; all
            of them where it is not given.
    """
    stored = batch.stored
    if stored is None:
        return batch, lambda: None
    places: dict[str, list[Tensor]] = {"w": batch.w, **batch.kept}
    opened = {n: _opened(values, n, batch) if n in stored.formats else values for n, values in places.items()}
    kept = {name: opened[name] for name in batch.kept}
    found = replace(batch, w=opened["w"], kept=kept, stored=None)

    def close() -> None:
        for name, form in stored.formats.items():
            for i, (place, value) in enumerate(zip(places[name], opened[name], strict=True)):
                rest = stored.beside[name][i] if name in stored.beside else None
                random = None
                if form is not Format.SPLIT16:
                    key = noise.keys(noise.base(stored.seed, batch.steps[i]), stored.numbers[i])
                    index = _all(value) if indices is None else indices(i, value)
                    random = noise.of_place(noise.bits(key, index), name)
                _close(place, rest, value.float(), form, random)

    return found, close


def _opened(values: list[Tensor], name: str, batch: Batch) -> list[Tensor]:
    assert batch.stored is not None
    form = batch.stored.formats[name]
    if form is Format.STOCHASTIC:
        return [x.float() for x in values]
    pairs = zip(values, batch.stored.beside[name], strict=True)
    if form.split:
        return [formats.joined(x, rest) for x, rest in pairs]
    return [formats.decoded(x, exponents, form) for x, exponents in pairs]


def _close(place: Tensor, rest: Tensor | None, x: Tensor, form: Format, random: Tensor | None) -> None:
    if form is Format.STOCHASTIC:
        assert random is not None
        place.copy_(formats.rounded(x, random))
        return
    assert rest is not None
    if form.split:
        first, second = formats.split(x, form, random)
    else:
        assert random is not None
        first, second = formats.encoded(x, form, random)
    place.copy_(first)
    rest.copy_(second)


def _all(x: Tensor) -> Tensor:
    return noise.indices(tuple(x.shape), x.device)
