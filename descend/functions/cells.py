"""What the cells of a table say: numbers, dates or levels of a category, or that a value is missing.

A CSV's cells arrive as strings and are read here, column by column, once the whole column is known;
Parquet's arrive with a type of their own. The same reading serves training and prediction.
"""

from typing import TYPE_CHECKING

import numpy as np

from descend.errors import DataError

if TYPE_CHECKING:
    import polars as pl

MISSING = ("", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "<NA>")
"""Cells that stand for a missing value in any column."""
MISSING_NUMBERS = (*MISSING, "na", "n/a", "None", "none", "Null", "NAN", "-", "--", ".", "?", "missing")
"""Cells that stand for a missing value among numbers and dates; in a category they are levels."""
DATES = "ISO dates such as 2024-05-31"
MOSTLY = 0.95
"""The share of a column's cells that must read as numbers for the others to be mistakes."""


def text_of(cells: "pl.Series") -> "pl.Series":
    """Return cells as stripped strings, null where one is missing."""
    import polars as pl

    text = cells.cast(pl.String).str.strip_chars()
    if cells.dtype != pl.String:
        return text
    text = _without(text, MISSING)
    # Truth values are written True, TRUE or true, by pandas, R and JSON: one level each.
    lower = text.str.to_lowercase()
    return text.zip_with(~lower.is_in(["true", "false"]).fill_null(False), lower)


def _without(text: "pl.Series", tokens: tuple[str, ...]) -> "pl.Series":
    import polars as pl

    return text.set(text.is_in(list(tokens)).fill_null(False), None).cast(pl.String)


def read_numbers(cells: "pl.Series") -> tuple[np.ndarray, np.ndarray]:
    """Return values, NaN where missing or infinite, and a mask of the cells that are text."""
    import polars as pl

    nothing = np.zeros(len(cells), bool)
    if cells.dtype != pl.String:
        if cells.dtype.is_temporal():
            cells = cells.cast(pl.Int64)
        values = cells.cast(pl.Float64).to_numpy().astype(np.float64)
        return np.where(np.isfinite(values), values, np.nan), nothing
    text = _without(cells.str.strip_chars(), MISSING_NUMBERS)
    read = text.cast(pl.Float64, strict=False)
    if read.null_count() > text.null_count():
        # $1,200.50, 45 %, (12) for -12: what spreadsheets export.
        bare = text.str.replace(r"^\((.+)\)$", "-$1").str.replace(r"^([-+]?)\s*[$€£¥]\s*", "$1")
        bare = bare.str.replace(r"\s*[$€£¥%]$", "")
        grouped = bare.str.contains(r"^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$").fill_null(False)
        bare = bare.zip_with(~grouped, bare.str.replace_all(",", "", literal=True))
        read = read.zip_with(read.is_not_null(), bare.cast(pl.Float64, strict=False))
    values = read.to_numpy().astype(np.float64)
    stray = (read.is_null() & text.is_not_null()).to_numpy()
    return np.where(np.isfinite(values), values, np.nan), stray


def read_moments(cells: "pl.Series") -> tuple[np.ndarray, np.ndarray]:
    """Return seconds since 1970 UTC, NaN where missing, and a mask of the cells that are no date."""
    import polars as pl

    if cells.dtype == pl.Date:
        read = cells.cast(pl.Datetime("us"))
    elif cells.dtype == pl.Datetime:
        read = cells.dt.cast_time_unit("us")
        if getattr(cells.dtype, "time_zone", None):
            read = read.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    elif cells.dtype == pl.String:
        text = _without(cells.str.strip_chars(), MISSING_NUMBERS)
        iso = text.str.replace(r"^(\d{4})/(\d{1,2})/(\d{1,2})", "$1-$2-$3")
        iso = iso.str.replace(r"^(\d{4}-\d{1,2}-\d{1,2}) +(\d)", "${1}T$2")
        read = iso.str.to_datetime("%Y-%m-%d", time_unit="us", strict=False)
        for pattern in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"):
            if read.null_count() > text.null_count():
                other = iso.str.to_datetime(pattern, time_unit="us", strict=False)
                read = read.zip_with(read.is_not_null(), other)
        if read.null_count() > text.null_count():
            zoned = iso.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
            read = read.zip_with(read.is_not_null(), zoned.dt.replace_time_zone(None))
        seconds = read.cast(pl.Int64).cast(pl.Float64).to_numpy().astype(np.float64) / 1e6
        return seconds, (read.is_null() & text.is_not_null()).to_numpy()
    else:
        return np.full(len(cells), np.nan), cells.is_not_null().to_numpy()
    return read.cast(pl.Int64).cast(pl.Float64).to_numpy().astype(np.float64) / 1e6, np.zeros(
        len(cells), bool
    )


def _stray_cell(cells: "pl.Series", stray: np.ndarray, what: str) -> DataError:
    row = int(np.flatnonzero(stray)[0])
    others = int(stray.sum()) - 1
    more = f" (and {others} more like it)" if others else ""
    return DataError(
        f"{what} in column {cells.name!r}",
        f"{str(cells[row])[:40]!r} in row {row + 1}{more}",
        "correct the cell, or leave it empty: an empty cell is a missing value",
    )


def numbers_of(cells: "pl.Series") -> np.ndarray:
    """Read cells as numbers: plain, with thousands separators, with a currency or a percent sign.

    Args:
        cells: a column of (rows,) cells.

    Returns:
        Values of shape (rows,), float64, NaN where missing or infinite.

    Raises:
        DataError: where a cell is text that is no number, naming the first.
    """
    values, stray = read_numbers(cells)
    if stray.any():
        raise _stray_cell(cells, stray, "numbers")
    return values


def moments_of(cells: "pl.Series") -> np.ndarray:
    """Read cells as moments: polars' dates and times, or ISO 8601 strings (``/`` is taken for ``-``).

    Args:
        cells: a column of (rows,) cells.

    Returns:
        Seconds since 1970 UTC of shape (rows,), float64, NaN where missing.

    Raises:
        DataError: where a cell is no date, naming the first.
    """
    moments, stray = read_moments(cells)
    if stray.any():
        raise _stray_cell(cells, stray, DATES)
    return moments


def typed(cells: "pl.Series") -> "tuple[str, pl.Series]":
    """Find out what a column holds, and give it that type.

    Returns:
        ``"number"`` and float64 (NaN where missing), ``"date"`` and microseconds, ``"category"`` and
        strings, or ``"nothing"`` and nulls (a column without any value) or the cells as they came (of a
        type that gives no features: a list, bytes). All but numbers are null where a value is missing.

    Raises:
        DataError: where a column is of numbers, or of dates, but for a few cells of text.
    """
    import polars as pl

    dtype = cells.dtype
    if dtype.is_numeric() or dtype in (pl.Duration, pl.Time):
        return "number", _as_numbers(cells, read_numbers(cells)[0])
    if dtype in (pl.Date, pl.Datetime):
        return "date", _as_moments(cells, read_moments(cells)[0])
    if dtype not in (pl.String, pl.Boolean):
        return "nothing", cells
    text = text_of(cells)
    if text.null_count() == len(cells):
        return "nothing", text
    if dtype == pl.Boolean:
        return "category", text
    for kind, read, convert, what in (
        ("number", read_numbers, _as_numbers, "numbers"),
        ("date", read_moments, _as_moments, DATES),
    ):
        values, stray = read(cells)
        good, bad = int((~np.isnan(values)).sum()), int(stray.sum())
        if good and not bad:
            return kind, convert(cells, values)
        # A mistake is rare, or single in a short table. A level such as "20+" comes back many times
        # among few others: that is a category.
        rare = good >= MOSTLY * (good + bad) or (bad <= 2 and good >= 0.8 * (good + bad))
        if rare and not _few_levels(text, stray):
            raise _stray_cell(cells, stray, what)
    return "category", text


def _as_numbers(cells: "pl.Series", values: np.ndarray) -> "pl.Series":
    import polars as pl

    return pl.Series(cells.name, values)


def _as_moments(cells: "pl.Series", seconds: np.ndarray) -> "pl.Series":
    import polars as pl

    micro = pl.Series(cells.name, np.round(seconds * 1e6), nan_to_null=True)
    return micro.cast(pl.Int64).cast(pl.Datetime("us"))


def _few_levels(text: "pl.Series", stray: np.ndarray) -> bool:
    """Whether a mixed column looks like a category: few levels, each of the odd ones many times."""
    import polars as pl

    odd = text.filter(pl.Series(stray)).n_unique()
    return text.n_unique() <= 20 and int(stray.sum()) >= 3 * odd
