"""What a table of ratings says of the items themselves: their names, kinds, years.

A column belongs to the items if it says the same of an item wherever it is rated. Of such columns, one that
has words of its own for most items is their name; numbers become bumps over their range; and a category, or
several joined by a bar (``Comedy|Romance``), a mark each.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError
from descend.functions.cells import text_of, typed

if TYPE_CHECKING:
    import polars as pl

SAME = 0.99
"""The share of the ratings in which a column must say what it says of the item at first."""
BUMPS = 14
"""Into how many overlapping bumps a number's range is divided."""
MOST_MARKS = 100
"""Marks of one column, at most: the commonest."""


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of the items.

    Attributes:
        names: what a person calls each.
        marks: features in 0 to 1, float32 (items, marks).
        numbers: numbers with mean 0 and variance 1, 0 where missing, float32 (items, numbers).
        columns: the columns they come from.
    """

    names: list[str]
    marks: Tensor
    numbers: Tensor
    columns: list[str]


def item_features(table: "pl.DataFrame", item: np.ndarray, items: list[str]) -> ItemFeatures:
    """Find the columns that belong to the items, and make features of them.

    Args:
        table: the columns that may, a row a rating.
        item: the item's number in each row, (rows,).
        items: the items' names where no column has better ones.
    """
    _, first = np.unique(item, return_index=True)
    names, marks, numbers, used = items, [], [], []
    for column in table.columns:
        cells = text_of(table[column])
        same = cells.eq_missing(cells[first.tolist()][item.tolist()])
        if float(same.to_numpy().mean()) < SAME or cells.n_unique() < 2:
            continue
        own = table[column][first.tolist()]
        try:
            kind, read = typed(own)
        except DataError:  # numbers, but for a few cells
            kind, read = "category", text_of(own)
        if kind == "number":
            values = read.to_numpy().astype(np.float64)
            standard = _standardised(values)
            marks.append(_bumps(standard, np.isfinite(values)))
            numbers.append(standard)
        elif kind == "category" and read.n_unique() > 0.5 * len(items) and not _joined(read):
            if names is items:
                names = [name or own for name, own in zip(read.to_list(), items, strict=True)]
        elif kind == "category":
            found = _marks(read.to_list())
            if not found.shape[1]:
                continue
            marks.append(found)
        else:
            continue
        used.append(column)
    empty = np.zeros((len(items), 0))
    return ItemFeatures(
        names,
        torch.from_numpy(np.concatenate([empty, *marks], 1)).float(),
        torch.from_numpy(np.stack(numbers, 1) if numbers else empty).float(),
        used,
    )


def _joined(cells: "pl.Series") -> bool:
    """Whether some of the cells are several categories joined by a bar."""
    return float(cells.str.contains("|", literal=True).fill_null(False).to_numpy().mean()) > 0.1


def _standardised(values: np.ndarray) -> np.ndarray:
    """Return values with mean 0 and variance 1, none beyond ±4, and 0 where one is missing."""
    mean, std = np.nanmean(values), np.nanstd(values)
    return np.nan_to_num((values - mean) / max(std, 1e-12)).clip(-4, 4)


def _bumps(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return Gaussian bumps evenly over the values' range, of the width of their distance."""
    middles = np.linspace(values.min(), values.max(), BUMPS)
    width = max(middles[1] - middles[0], 1e-9)
    return np.exp(-0.5 * ((values[:, None] - middles) / width) ** 2) * there[:, None]


def _marks(cells: list[str | None]) -> np.ndarray:
    """Return 1 where an item has a level, for the levels that at least two items have."""
    sets = [set() if cell is None else {part.strip() for part in cell.split("|")} for cell in cells]
    counts: dict[str, int] = {}
    for levels in sets:
        for level in levels:
            counts[level] = counts.get(level, 0) + 1
    common = sorted((c for c in counts if counts[c] > 1), key=lambda c: (-counts[c], c))[:MOST_MARKS]
    return np.array([[float(level in levels) for level in common] for levels in sets]).reshape(len(cells), -1)
