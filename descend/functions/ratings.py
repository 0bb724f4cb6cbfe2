"""Ratings: who gave what to which item, and when, read from a table's file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError, UsageError, nearest
from descend.functions.cells import read_moments, read_numbers, text_of
from descend.functions.item_features import ItemFeatures, item_features
from descend.functions.table_files import read_table

if TYPE_CHECKING:
    import polars as pl

TIMES = ("time", "timestamp", "datetime", "date", "rated_at", "created_at", "ts")
"""Columns that are taken for the time where none is named, in any case."""
NO_TIME = "none"


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns.

    Attributes:
        user: who.
        item: what.
        value: the rating; ``None`` where there is only that somebody chose something.
        time: when; ``None`` where that is not known.
    """

    user: str
    item: str
    value: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Ratings:
    """Ratings in the order of their users, each user's in the order of time.

    Attributes:
        columns: where they stood.
        users: the users' names.
        items: the items' names, as the table has them.
        user: the user's number, int64 (n,), rising.
        item: the item's number, int64 (n,).
        value: the rating, float32 (n,); ones where the table has none.
        time: float64 (n,), in seconds where the table has dates, else in the table's unit; zeros without.
        features: what the other columns say of the items.
        left_out: how many rows were left out, and why.
        digest: SHA-256 of the file.
    """

    columns: Columns
    users: list[str]
    items: list[str]
    user: Tensor
    item: Tensor
    value: Tensor
    time: Tensor
    features: ItemFeatures
    left_out: dict[str, int]
    digest: str

    def __len__(self) -> int:
        return len(self.user)


def read_ratings(
    path: str | Path, user: str, item: str, value: str | None = None, time: str | None = None
) -> Ratings:
    """Read ratings; rows that are none are counted and left out.

    Args:
        path: a CSV or Parquet file with a row a rating.
        user: the column that says who.
        item: the column that says what.
        value: the column of the ratings; ``None`` where being in the table is all there is.
        time: the column of the time, of numbers or dates; ``None`` looks for one by its name, ``"none"``
            takes none.

    Raises:
        DataError: where the file cannot be read, or no rating is left.
        UsageError: where a column is not there.
    """
    table, digest = read_table(path)
    columns = Columns(
        column_named(table, user, "--user"),
        column_named(table, item, "--item"),
        None if value is None else column_named(table, value, "--target"),
        _time_column(table, time),
    )
    users, items = text_of(table[columns.user]), text_of(table[columns.item])
    left_out: dict[str, int] = {}
    values, good = np.ones(table.height), np.ones(table.height, bool)

    def leave_out(why: str, bad: np.ndarray) -> None:
        nonlocal good
        if n := int((good & bad).sum()):
            left_out[why] = n
        good = good & ~bad

    leave_out("no user", users.is_null().to_numpy())
    leave_out("no item", items.is_null().to_numpy())
    if columns.value is not None:
        values, stray = read_numbers(table[columns.value])
        leave_out("a rating that is no number", stray)
        leave_out("no rating", np.isnan(values))
    times = times_in(table, columns.time)
    leave_out("no time", np.isnan(times))
    kept = np.flatnonzero(good)
    user_names, user_numbers = _numbered(users, kept)
    item_names, item_numbers = _numbered(items, kept)
    # Of two ratings of one item by one user the later one holds.
    order = np.lexsort((np.arange(len(kept)), times[kept], item_numbers, user_numbers))
    pair = np.stack([user_numbers, item_numbers])[:, order]
    last = np.ones(len(order), bool)
    last[:-1] = (pair[:, 1:] != pair[:, :-1]).any(0)
    if again := int((~last).sum()):
        left_out["rated again later"] = again
    chosen = order[last]
    chosen = chosen[np.lexsort((chosen, times[kept][chosen], user_numbers[chosen]))]
    if len(chosen) < 10 or len(item_names) < 2:
        raise DataError(
            f"at least 10 ratings of two items in {Path(path).name}", f"{len(chosen)}", "check the columns"
        )
    taken = {c for c in (columns.user, columns.item, columns.value, columns.time) if c is not None}
    rows = kept[chosen]
    described = item_features(
        table[rows.tolist()].select(c for c in table.columns if c not in taken),
        item_numbers[chosen],
        item_names,
    )
    return Ratings(
        columns,
        user_names,
        item_names,
        torch.from_numpy(user_numbers[chosen]),
        torch.from_numpy(item_numbers[chosen]),
        torch.from_numpy(values[rows]).float(),
        torch.from_numpy(times[rows]),
        described,
        left_out,
        digest,
    )


def column_named(table: "pl.DataFrame", name: str, flag: str) -> str:
    """Return the name of a column that a table must have for ``flag``; a UsageError where it has none."""
    if name in table.columns:
        return name
    raise UsageError(f"a column of the table for {flag}", repr(name), nearest(name, table.columns))


def _time_column(table: "pl.DataFrame", name: str | None) -> str | None:
    if name is not None:
        none = name.lower() == NO_TIME and name not in table.columns
        return None if none else column_named(table, name, "--time")
    found = {c.lower(): c for c in table.columns}
    return next((found[t] for t in TIMES if t in found), None)


def times_in(table: "pl.DataFrame", column: str | None) -> np.ndarray:
    """Return times, NaN where one cannot be read: numbers as they are, dates in seconds."""
    if column is None:
        return np.zeros(table.height)
    cells = table[column]
    numbers = np.full(table.height, np.nan) if cells.dtype.is_temporal() else read_numbers(cells)[0]
    moments = read_moments(cells)[0]
    return numbers if np.isnan(numbers).sum() <= np.isnan(moments).sum() else moments


def _numbered(cells: "pl.Series", kept: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the different names among the kept cells, as they come, and each cell's number."""
    names = cells.to_numpy()[kept]
    known: dict[str, int] = {}
    numbers = np.fromiter((known.setdefault(name, len(known)) for name in names), np.int64, len(kept))
    return list(known), numbers
