"""Which examples are learned from, which choose the parameters, and which are held out to the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from descend.errors import DataError

LEAST_VALIDATION = 30
"""Fewer choose the best parameters by luck; up to a quarter of what is not held out is given for it."""


def split(
    n: int,
    *,
    test: float,
    validation: float,
    seed: int,
    labels: Tensor | Sequence[int] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Part ``n`` examples at random, the same way each time for one seed.

    With labels each class is parted in the same proportions, nearly (to an example or two), and every
    class keeps at least one example to learn from (as long as training has as many examples as classes).

    Args:
        n: how many examples there are.
        test: the share of all of them that is held out to the end; 0 where a test set is given apart.
        validation: the share of what remains that chooses the best parameters; at least
            :data:`LEAST_VALIDATION` examples where a quarter of the rest allows it.
        seed: draws the parts.
        labels: the class number of each example, shape (n,), to part each class alike.

    Returns:
        The indices of (train, validation, test), each int64 and in rising order.

    Raises:
        DataError: where there are too few examples to give each part one.
    """
    held = max(1, round(test * n)) if test > 0 else 0
    rest = n - held
    chosen = max(1, min(max(round(validation * rest), LEAST_VALIDATION), rest // 4)) if validation > 0 else 0
    if rest - chosen < 1:
        raise DataError(
            f"at least {1 + (test > 0) + (validation > 0)} examples to part into train, validation and test",
            f"{n}",
            "add examples",
        )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed % 2**63))
    if labels is not None:
        order = _interleaved(order, torch.as_tensor(labels))
    test_part, validation_part, train_part = order.split([held, chosen, rest - chosen])
    return train_part.sort().values, validation_part.sort().values, test_part.sort().values


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from ``seed`` on the CPU inside the block, and leave the program's own generator as it was."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed % 2**63)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def _interleaved(order: Tensor, labels: Tensor) -> Tensor:
    """Reorder a random order so that every prefix of it holds each class in proportion.

    The k-th of a class's c examples comes at (k + ½)/c of the way, and the last at the very end, which
    belongs to training: no class is only in the test.
    """
    classes, counts = torch.unique(labels, return_inverse=True, return_counts=True)[1:]
    classes = classes[order]
    grouped = classes.argsort(stable=True)  # the random order within each class is kept
    starts = counts.cumsum(0) - counts
    rank = torch.empty(len(order), dtype=torch.float64)
    rank[grouped] = torch.arange(len(order), dtype=torch.float64) - starts[classes[grouped]].double()
    way = (rank + 0.5) / counts[classes].double()
    way[rank == counts[classes] - 1] = 1
    return order[way.argsort(stable=True)]
