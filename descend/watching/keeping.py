"""What is kept of captured steps, within a cap: their data once each, and a fair sample of the steps."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from descend.watching.tape import Iteration


class Store:
    """Keeps captured steps.

    Args:
        keep: how many at most, but for the first ones.
        most: bytes of data at most.
        first: how many of the first ones are kept in any case, in order.

    Attributes:
        iterations: a fair sample of all steps that were handed over.
        checked: the first ones.
        values: their data by key.
        bytes: what these take.
    """

    def __init__(self, keep: int, most: int, first: int):
        self.keep, self.most, self.first = keep, most, first
        self.iterations: list[Iteration] = []
        self.checked: list[Iteration] = []
        self.values: dict[int, Tensor] = {}
        self.bytes = 0
        self.next_key = 1
        self._random = random.Random(0)
        self._places: dict[Any, int] = {}
        self._users: dict[int, int] = {}

    def chosen(self, step: int) -> bool:
        """Whether a step is to be captured, so that all steps are as likely to be among those kept."""
        return step <= max(self.keep, self.first) or self._random.random() < self.keep / step

    def value(self, x: Tensor) -> int:
        """Return the key of a copy of some data; the same one for the same data in the same place."""
        place: Any = id(x)
        if x.layout == torch.strided:
            place = x.data_ptr(), tuple(x.shape), x.stride(), x.dtype, x.requires_grad
        known = self._places.get(place)
        if known is not None and known in self.values and _same(self.values[known], x):
            return known
        key, self.next_key = self.next_key, self.next_key + 1
        self._places[place] = key
        self.values[key] = x.detach().clone().requires_grad_(x.requires_grad)
        self.bytes += _size(x)
        return key

    def forget_since(self, key: int) -> None:
        """Drop data that were copied for a step that is not kept."""
        for each in range(key, self.next_key):
            self._drop(each)

    def add(self, done: Iteration) -> None:
        """Keep a step, in the place of another one where there is no room."""
        for key in done.data:
            self._users[key] = self._users.get(key, 0) + 1
        if len(self.checked) < self.first and done.step == len(self.checked) + 1:
            self.checked.append(done)
            for key in done.data:
                self._users[key] += 1
        self.iterations.append(done)
        while len(self.iterations) > self.keep or (self.bytes > self.most and self.iterations):
            self._leave(self.iterations.pop(self._random.randrange(len(self.iterations))))
        while self.bytes > self.most and self.checked:
            self._leave(self.checked.pop())

    def _leave(self, gone: Iteration) -> None:
        for key in gone.data:
            self._users[key] -= 1
            if self._users[key] <= 0:
                self._drop(key)

    def _drop(self, key: int) -> None:
        x = self.values.pop(key, None)
        self.bytes -= _size(x) if x is not None else 0
        self._users.pop(key, None)


def _same(kept: Tensor, x: Tensor) -> bool:
    with suppress(RuntimeError, NotImplementedError):
        return kept.shape == x.shape and bool(torch.equal(kept, x))
    return False


def _size(x: Tensor) -> int:
    return x.numel() * x.element_size() if x.layout == torch.strided else 16 * x._nnz()
