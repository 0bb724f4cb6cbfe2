"""Arrays and DataFrames of others, as tables of polars."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl


def is_frame(x: object) -> bool:
    """Whether this is a DataFrame, of pandas, polars or alike: what has named columns.

    Example:
        >>> is_frame([[1.0, 2.0]])
        False
    """
    return hasattr(x, "columns") and hasattr(x, "__getitem__") and hasattr(x, "shape")


def frame_of(x: Any, names: Sequence[str]) -> "pl.DataFrame":
    """Return a table of polars with the same cells.

    Args:
        x: an array of shape (rows, columns) or a DataFrame.
        names: of the columns.

    Numbers, truth values and moments keep their type; categories become strings. Of objects, a column of
    numbers and nothing else becomes numbers; any other becomes strings, as a CSV's cells are. What pandas
    says is missing is missing.
    """
    import polars as pl

    if isinstance(x, pl.DataFrame):
        texts = [name for name, dtype in x.schema.items() if dtype in (pl.Categorical, pl.Enum)]
        return x.with_columns(pl.col(texts).cast(pl.String)) if texts else x
    if is_frame(x):
        cells = [x.iloc[:, i] for i in range(len(names))]
    else:
        cells = list(np.asarray(x).T)
    return pl.DataFrame([_series(name, column) for name, column in zip(names, cells, strict=True)])


def _series(name: str, cells: Any) -> "pl.Series":
    import polars as pl

    if isinstance(getattr(cells, "dtype", None), np.dtype):
        values = np.asarray(cells)
        if values.dtype.kind in "biuf":
            return pl.Series(name, values.astype(np.float32) if values.dtype == np.float16 else values)
        if values.dtype.kind == "M":
            return pl.Series(name, values.astype("datetime64[us]"))
        if values.dtype.kind == "m":
            return pl.Series(name, values.astype("timedelta64[us]"))
        objects: list[Any] = values.tolist()
    else:  # one of pandas' own types: a category, a string, a whole number that may be missing
        missing = np.asarray(cells.isna())
        objects = [None if gone else cell for gone, cell in zip(missing, cells, strict=True)]
    there = [cell for cell in objects if not _missing(cell)]
    if there and all(isinstance(cell, bool | np.bool_) for cell in there):
        return pl.Series(name, [None if _missing(cell) else bool(cell) for cell in objects], pl.Boolean)
    if all(isinstance(cell, int | float | np.number) for cell in there):
        numbers = [None if _missing(cell) else float(cell) for cell in objects]
        return pl.Series(name, numbers, pl.Float64)
    return pl.Series(name, [None if _missing(cell) else str(cell) for cell in objects], pl.String)


def _missing(cell: object) -> bool:
    return cell is None or cell != cell or type(cell).__name__ in ("NAType", "NaTType")
