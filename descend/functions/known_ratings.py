"""What is known of one user: of one learned from, of somebody new by a table, or by what is liked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError
from descend.functions.cells import read_numbers, text_of
from descend.functions.memory import Memory
from descend.functions.ratings import Columns, column_named
from descend.functions.table_files import read_table

LIKED = 0.95
"""A like is as much as a rating that this share of all ratings does not exceed."""


@dataclass(frozen=True)
class Known:
    """What is known of one user, in the order of time.

    Attributes:
        items: numbers, int64 (n,).
        values: the ratings, float32 (n,); ones where there are none.
        times: float64 (n,).
        now: the time at which something is recommended.
    """

    items: Tensor
    values: Tensor
    times: Tensor
    now: float


def known_user(memory: Memory, user: int) -> Known:
    """Return what is known of a user by number; of −1, nothing."""
    if user < 0:
        return known_new(memory, [])
    items, values, times = memory.of(user)
    return Known(items, values, times, float(times[-1]) if len(times) else memory.latest)


def known_new(memory: Memory, items: Sequence[int], values: Sequence[float] | None = None) -> Known:
    """Return what is known of somebody new, who rated or chose these items now.

    Args:
        memory: says what time it is, the latest that it knows, and what a high rating is.
        items: numbers; of one that comes again the last rating holds.
        values: the ratings; ``None`` where they are liked.
    """
    if values is None:
        ranked = memory.value.sort().values
        values = [float(ranked[int(LIKED * (len(ranked) - 1))])] * len(items)
    last = dict(zip(items, values, strict=True))
    return Known(
        torch.tensor(list(last), dtype=torch.long),
        torch.tensor(list(last.values()), dtype=torch.float32),
        torch.full((len(last),), memory.latest, dtype=torch.float64),
        memory.latest,
    )


def known_file(
    memory: Memory, source: str | Path, columns: Columns, number: Callable[[str], int | None]
) -> tuple[Known, list[str]]:
    """Read somebody new's ratings, and say what of them could not be used.

    Args:
        memory: as for :func:`known_new`.
        source: a table with the column of items, as the table that was learned from or people call them, and
            that of ratings. Where none of its columns is the items', the first is taken.
        columns: how they are called.
        number: an item's number by its name; ``None`` where it is not known.

    Returns:
        What is known, and a sentence for each reason for which rows were left out.

    Raises:
        DataError: where the file cannot be read, or nothing in it can be used.
        UsageError: where it lacks a column.
    """
    table, _ = read_table(source)
    column = columns.item if columns.item in table.columns else table.columns[0]
    names = text_of(table[column]).to_list()
    values = np.ones(len(names))
    if columns.value is not None:
        values = read_numbers(table[column_named(table, columns.value, "ratings")])[0]
    numbers = [None if name is None else number(name) for name in names]
    known = [(item, float(v)) for item, v in zip(numbers, values, strict=True) if item is not None]
    fine = [(item, value) for item, value in known if np.isfinite(value)]
    reasons = {
        "an item that is not known": len(names) - len(known),
        "no rating": len(known) - len(fine),
        "rated again later": len(fine) - len(dict(fine)),
    }
    notes = [f"{n} left out: {why}" for why, n in reasons.items() if n]
    if not fine:
        raise DataError(
            f"ratings of known items in {Path(source).name}", "; ".join(notes), "check its columns"
        )
    return known_new(memory, [item for item, _ in fine], [value for _, value in fine]), notes
