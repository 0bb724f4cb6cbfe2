"""Which columns of a table features are made from, and why the others are left out."""

import re
from typing import TYPE_CHECKING

import numpy as np

from descend.functions.cells import moments_of, numbers_of, typed
from descend.functions.columns import Column, Dates, Levels, Numbers
from descend.functions.words import Words

if TYPE_CHECKING:
    import polars as pl

BINS = 16
"""Ramps that a column of numbers is split into."""
LARGEST = 2**28
"""Features in memory (1 GiB) above which columns of numbers get fewer ramps."""
_LABEL = re.compile(
    r"(index|idx|id|key|row[ _.-]?(names?|id|number|nr|no)?|unnamed.*|.*[ _.-]id|column 1)", re.I
)
_TIME = re.compile(r"(t|x|.*(time|year|month|week|day|hour|date|period|step|age|trend).*)", re.I)


def fit_columns(
    table: "pl.DataFrame", train: np.ndarray, own: int | None = None
) -> "tuple[list[Column], dict[str, str], pl.DataFrame]":
    """Fit every column that something can be learned from.

    Args:
        table: the columns to predict from, with all rows of the file, so that an error names the right one.
        train: the rows to learn from, int64.
        own: how many rows the file has itself, where those of the test's file follow; by default all.

    Returns:
        The fitted columns; for each column left out the reason; and the table with every column read once
        and for all, in the type that :func:`descend.functions.cells.typed` gives it.

    Raises:
        DataError: where a column of numbers or dates holds a few cells of text.
    """
    import polars as pl

    kinds: dict[str, str] = {}
    columns: list[pl.Series] = []
    for name in table.columns:
        kinds[name], cells = typed(table[name])
        columns.append(cells)
    table = pl.DataFrame(columns)
    bins = _bins(len(table), sum(kind in ("number", "date") for kind in kinds.values()))
    chosen: list[Column] = []
    left_out: dict[str, str] = {}
    set_aside: list[Column] = []
    for position, (name, kind) in enumerate(kinds.items()):
        cells = table[name]
        fitted: Column | str
        if kind == "number":
            fitted = Numbers.fit(name, numbers_of(cells)[train], bins)
        elif kind == "date":
            fitted = Dates.fit(name, moments_of(cells)[train], bins)
        elif kind == "category":
            there = cells.gather(train)
            fitted = Words.fit(name, there) or Levels.fit(name, there)
        elif cells.null_count() == len(cells):
            fitted = "all values are missing"
        else:
            fitted = f"values of type {cells.dtype} give no features"
        if isinstance(fitted, str):
            left_out[name] = fitted
        elif kind == "number" and _numbers_the_rows(name, numbers_of(cells)[:own], position == 0):
            left_out[name] = "it numbers the rows"
            set_aside.append(fitted)
        else:
            chosen.append(fitted)
    if not chosen:  # a line through x = 1, 2, 3, ...: what looked like row numbers is all there is
        chosen = set_aside
        left_out = {name: why for name, why in left_out.items() if name not in {c.name for c in set_aside}}
    return chosen, left_out, table


def _bins(rows: int, columns: int) -> int:
    bins = BINS
    while bins and rows * columns * bins > LARGEST:
        bins //= 2
    return bins


def _numbers_the_rows(name: str, values: np.ndarray, first: bool) -> bool:
    """Whether a column is an identifier: whole numbers, each once, and a name or a place that says so.

    The years of a series are such numbers too, and worth a lot: without a telling name a column must
    come first, count 0, 1, 2, ... or 1, 2, 3, ..., and not be called after time.
    """
    if np.isnan(values).any() or (values != np.round(values)).any() or len(np.unique(values)) < len(values):
        return False
    if _LABEL.fullmatch(name):
        return True
    counts = values[0] in (0, 1) and bool((np.diff(values) == 1).all())
    return first and counts and not _TIME.fullmatch(name)
