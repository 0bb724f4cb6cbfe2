"""A table's columns as numbers that a function can be fed with.

Each kind of column (numbers, dates, levels of a category, texts) is one class: ``fit`` learns what it needs
from the training rows alone, ``features`` applies it to any rows, and ``to_json`` with
:func:`column_from_json` carries it through a run's folder. Whatever the cells hold, features are finite.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from descend.functions.cells import moments_of, numbers_of, text_of
from descend.functions.words import Words

if TYPE_CHECKING:
    import polars as pl

FURTHEST = 8.0
"""Standard deviations at which a number is cut off: one wild cell must not throw a prediction away."""
FEWEST = 2
"""Training rows that a level needs for a slot of its own; rarer ones share the slot of unknown levels."""
MOST_ONE_HOT = 30
"""Levels up to which a category is one-hot; above, each level gets a learned vector (an embedding)."""
DAY = 86_400.0  # seconds


def _standard(values: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of finite values, without overflow; 1 where there is no spread."""
    unit = float(np.abs(values).max()) or 1.0
    small = values / unit
    spread = min(float(small.std()), 1.0)  # more it can only be by rounding
    scale = (spread if spread > 1e-12 else 1.0) * unit
    return float(small.mean()) * unit, max(scale, math.ulp(0.0))  # the least number there is, rather than 0


def _exponent(values: np.ndarray | Sequence[float]) -> int:
    """Return the least e for which all values are within ±2^e.

    Counted in 2^e (``np.ldexp(values, -e)``), values near a double's largest can be added and subtracted
    without overflow, and as a power of two it takes nothing from the digits of others.
    """
    return int(np.frexp(np.abs(values).max())[1])


@dataclass(frozen=True)
class Numbers:
    """A column of numbers: standardised, and split into a ramp a bin.

    The ramps are the piecewise-linear encoding of Gorishniy et al., "On Embeddings for Numerical Features
    in Tabular Deep Learning", arXiv:2203.05556: feature b rises from 0 to 1 between two quantiles and
    stays there. With them a linear layer draws any piecewise-linear curve of the column, and heavy tails
    need no treatment of their own, since quantiles do not see them.

    Attributes:
        name: the column's name.
        center: the training mean, in the column's unit.
        scale: the training standard deviation, in the column's unit.
        middle: the training median, which stands in for missing values, in the column's unit.
        missing: whether a training value was missing; if so, a feature says where one is.
        knots: the bins' edges, in the column's unit, rising.
    """

    kind: ClassVar[str] = "number"
    slots: ClassVar[int] = 0
    name: str
    center: float
    scale: float
    middle: float
    missing: bool
    knots: tuple[float, ...] = ()

    @classmethod
    def fit(cls, name: str, values: np.ndarray, bins: int = 16) -> "Numbers | str":
        """Learn from training values of shape (rows,), NaN where missing.

        Returns:
            The column, or the reason why nothing can be learned from it.
        """
        there = values[~np.isnan(values)]
        if len(there) == 0:
            return "all values are missing"
        different = np.unique(there)
        missing = len(there) < len(values)
        if len(different) == 1 and not missing:
            return "all values are the same"
        center, scale = _standard(there)
        exponent = _exponent(there)
        small = np.ldexp(there, -exponent)  # where half the sum of two numbers, the median, is finite
        knots: tuple[float, ...] = ()
        if bins > 0 and len(different) > 2:
            edges = np.unique(small)
            if len(different) > bins:
                edges = np.quantile(small, np.linspace(0, 1, bins + 1))
            edges = np.unique(np.ldexp(edges, exponent))
            knots = tuple(edges.tolist()) if len(edges) > 2 else ()
        return cls(name, center, scale, math.ldexp(float(np.median(small)), exponent), missing, knots)

    @property
    def width(self) -> int:
        """How many features it gives."""
        return 1 + self.missing + max(0, len(self.knots) - 1)

    def features_of(self, values: np.ndarray) -> np.ndarray:
        """Return features of shape (rows, width), float32, from values of shape (rows,)."""
        absent = np.isnan(values)
        values = np.where(absent, self.middle, values)
        exponent = -_exponent((self.center, self.scale, *self.knots))
        # A new value too large to be counted so becomes infinite, which is beyond all bounds as it should.
        with np.errstate(over="ignore"):
            values = np.ldexp(values, exponent)
            center, scale, *knots = np.ldexp((self.center, self.scale, *self.knots), exponent)
            z = np.clip((values - center) / scale, -FURTHEST, FURTHEST)
            parts = [z[:, None]]
            if self.missing:
                parts.append(absent[:, None])
            if self.knots:
                edges = np.asarray(knots)
                parts.append(np.clip((values[:, None] - edges[:-1]) / np.diff(edges), 0, 1))
        return np.concatenate(parts, 1, dtype=np.float32)

    def features(self, cells: "pl.Series") -> np.ndarray:
        """Return features of shape (rows, width), float32.

        Raises:
            DataError: where a cell is text that is no number.
        """
        return self.features_of(numbers_of(cells))


@dataclass(frozen=True)
class Dates:
    """A column of dates or times: how long since, the year, the time of year, the weekday, the time of day.

    Attributes:
        name: the column's name.
        elapsed: seconds since 1970, as a column of numbers.
        year: the calendar year, as a column of numbers.
        hours: whether a training value had a time of day other than midnight.
    """

    kind: ClassVar[str] = "date"
    slots: ClassVar[int] = 0
    name: str
    elapsed: Numbers
    year: Numbers
    hours: bool

    @classmethod
    def fit(cls, name: str, moments: np.ndarray, bins: int = 16) -> "Dates | str":
        """Learn from training moments of shape (rows,): seconds since 1970, NaN where missing.

        Returns:
            The column, or the reason why nothing can be learned from it.
        """
        elapsed = Numbers.fit(name, moments, bins)
        if isinstance(elapsed, str):
            return elapsed
        there = moments[~np.isnan(moments)]
        years = _years(there)
        year = Numbers(name, *_standard(years), float(np.median(years)), False)
        return cls(name, elapsed, year, bool((there % DAY != 0).any()))

    @property
    def width(self) -> int:
        """How many features it gives."""
        return self.elapsed.width + 1 + 2 + 7 + 2 * self.hours

    def features(self, cells: "pl.Series") -> np.ndarray:
        """Return features of shape (rows, width), float32.

        Raises:
            DataError: where a cell is text that is no ISO date.
        """
        moments = moments_of(cells)
        filled = np.where(np.isnan(moments), self.elapsed.middle, moments)
        days = np.floor(filled / DAY)
        dates = days.astype("datetime64[D]")
        month = 2 * np.pi * (dates.astype("datetime64[M]").astype(np.int64) % 12) / 12
        weekday = np.eye(7)[(days.astype(np.int64) + 3) % 7]  # 1970 began on a Thursday; Monday is 0
        parts = [self.elapsed.features_of(moments), self.year.features_of(_years(filled))]
        parts += [np.sin(month)[:, None], np.cos(month)[:, None], weekday]
        if self.hours:
            angle = 2 * np.pi * (filled / DAY - days)
            parts += [np.sin(angle)[:, None], np.cos(angle)[:, None]]
        return np.concatenate(parts, 1, dtype=np.float32)


def _years(moments: np.ndarray) -> np.ndarray:
    days = np.floor(moments / DAY).astype("datetime64[D]")
    return days.astype("datetime64[Y]").astype(np.int64) + 1970.0


@dataclass(frozen=True)
class Levels:
    """A column of categories.

    Slot 0 belongs to levels that training never saw, or saw in one row only; a missing value is a level
    like any other.

    Attributes:
        name: the column's name.
        levels: the known levels, the most frequent first; ``None`` is the missing one.
        embedded: whether :meth:`codes` feed an embedding; otherwise :meth:`features` are one-hot.
    """

    kind: ClassVar[str] = "category"
    name: str
    levels: tuple[str | None, ...]
    embedded: bool

    @classmethod
    def fit(cls, name: str, cells: "pl.Series") -> "Levels | str":
        """Learn from the training cells.

        Returns:
            The column, or the reason why nothing can be learned from it.
        """
        text = text_of(cells)
        counts = dict(text.value_counts().iter_rows())
        absent = counts.pop(None, 0)
        if not counts:
            return "all values are missing"
        if len(counts) == 1 and not absent:
            return "all values are the same"
        if max(counts.values()) == 1 and len(counts) > 2:
            return "every value is different"
        known = sorted((level for level, n in counts.items() if n >= FEWEST), key=lambda v: (-counts[v], v))
        if sum(counts[level] for level in known) < 0.1 * sum(counts.values()) and len(counts) > MOST_ONE_HOT:
            return "nearly all values are different"
        levels: list[str | None] = [*known, *([None] if absent else [])]
        return cls(name, tuple(levels), len(levels) > MOST_ONE_HOT)

    @property
    def slots(self) -> int:
        """Rows of its embedding; 0 where it is one-hot."""
        return len(self.levels) + 1 if self.embedded else 0

    @property
    def width(self) -> int:
        """How many features it gives."""
        return 0 if self.embedded else len(self.levels) + 1

    def codes(self, cells: "pl.Series") -> np.ndarray:
        """Return each cell's slot, int64, of shape (rows,); 0 is an unknown level."""
        import polars as pl

        text = text_of(cells)
        present = [level for level in self.levels if level is not None]
        slot = {level: i for i, level in enumerate(self.levels, start=1)}
        found = text.replace_strict(
            present, [slot[p] for p in present], default=0, return_dtype=pl.Int64
        ).to_numpy(writable=True)
        found[text.is_null().to_numpy()] = slot.get(None, 0)
        return found

    def features(self, cells: "pl.Series") -> np.ndarray:
        """Return the one-hot features of shape (rows, width), float32."""
        return np.eye(len(self.levels) + 1, dtype=np.float32)[self.codes(cells)]


Column = Numbers | Dates | Levels | Words


def column_to_json(column: Column) -> dict[str, Any]:
    """Return a fitted column as JSON values."""
    return {"kind": column.kind, **asdict(column)}


def column_from_json(saved: dict[str, Any]) -> Column:
    """Rebuild a fitted column."""
    fields = {name: value for name, value in saved.items() if name != "kind"}
    if saved["kind"] == "category":
        return Levels(fields["name"], tuple(fields["levels"]), fields["embedded"])
    if saved["kind"] == "text":
        return Words(**fields)
    if saved["kind"] == "date":
        parts = {name: _numbers(fields[name]) for name in ("elapsed", "year")}
        return Dates(fields["name"], hours=fields["hours"], **parts)
    return _numbers(fields)


def _numbers(fields: dict[str, Any]) -> Numbers:
    return Numbers(**{**fields, "knots": tuple(fields["knots"])})


def encode(columns: Sequence[Column], cells: "pl.DataFrame") -> tuple[np.ndarray, np.ndarray]:
    """Encode rows for the function.

    Args:
        columns: fitted columns; for those of texts see :mod:`descend.functions.words`.
        cells: a table that has them all, in any order.

    Returns:
        Features of shape (rows, sum of widths), float32, and slots of embedded categories of shape
        (rows, embedded columns), int64.

    Raises:
        DataError: where a cell cannot be read as its column's kind.
    """
    x = np.zeros((cells.height, sum(c.width for c in columns)), np.float32)
    codes = [c.codes(cells[c.name]) for c in columns if isinstance(c, Levels) and c.embedded]
    at = 0
    for column in columns:
        if column.width and not isinstance(column, Words):
            x[:, at : at + column.width] = column.features(cells[column.name])
            at += column.width
    return x, np.stack(codes, 1) if codes else np.zeros((cells.height, 0), np.int64)
