"""Some examples of a problem, always the same ones: to measure on, and to measure with."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from descend.functions.data import Batch, Batches, Data, Loaded, Whole, _to

MOST = 2048
"""Examples that are enough to measure a loss, a mean or a share."""
_SIZE = 256


class Kept:
    """Examples that were drawn once, and are then always the same, on one device.

    Args:
        data: what to draw from; all of it is taken where it has at most ``most`` examples.
        device: where they are kept.
        most: about how many are drawn.
    """

    def __init__(self, data: Data, device: torch.device, most: int = MOST):
        self.kept: list[Batch] = []
        count = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            few = isinstance(data, Whole | Loaded) or len(data) <= most
            drawn = data.passes(_SIZE, device) if few else _drawn(data.batches(_SIZE, 0, device))
            for batch in drawn:
                self.kept.append(batch)
                count += len(batch[-1]) if batch else 1
                if count >= most:
                    break
        self._count = count

    def __len__(self) -> int:
        return self._count

    def passes(self, size: int, device: torch.device) -> Iterator[Batch]:
        """Go over them once, in the batches in which they were drawn."""
        return (_to(batch, device) for batch in self.kept)

    def batches(self, size: int, seed: int, device: torch.device) -> Batches:
        """Refuse: nothing is trained on them."""
        raise NotImplementedError


def _drawn(batches: Batches) -> Iterator[Batch]:
    return (batches.next() for _ in range(batches.per_epoch))
