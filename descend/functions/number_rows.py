"""Rows of plain numbers, from a CSV or a NumPy file."""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from descend.errors import DataError


def read_rows(path: Path, features: Sequence[str]) -> Tensor:
    """Read rows of numbers.

    Args:
        path: a ``.npy`` file, or text with commas, semicolons, tabs or spaces between the numbers, in
            gzip or not. Where the first line names the columns, they are found by name, in any order.
        features: the names of the numbers of each row, in the order wanted.

    Returns:
        float32, shape (rows, features).

    Raises:
        DataError: where the file cannot be read, a cell is no number or not finite, or there are more or
            fewer numbers a row.
    """
    rows = _from_npy(path) if path.suffix.lower() == ".npy" else _from_text(path, features)
    if rows.ndim == 1:
        rows = rows[None]
    if rows.ndim > 2 and rows[0].size == len(features):
        rows = rows.reshape(len(rows), -1)  # pictures, as they are
    if rows.ndim != 2 or rows.shape[1] != len(features):
        raise DataError(
            f"{len(features)} numbers a row in {path}",
            f"{rows.shape[1]}" if rows.ndim == 2 else f"an array of shape {rows.shape}",
            f"give each row {features[0]} to {features[-1]}",
        )
    if not len(rows):
        raise DataError(f"at least one row in {path}", "none", "add a row")
    bad = np.argwhere(~np.isfinite(rows))
    if len(bad):
        row, column = bad[0].tolist()
        raise DataError(
            f"finite numbers in {path}",
            f"{rows[row, column]} in row {row + 1}, {features[column]}",
            "fill in or remove it",
        )
    return torch.from_numpy(rows.astype(np.float32))


def _from_npy(path: Path) -> np.ndarray:
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"a NumPy array in {path}", str(error).splitlines()[0], "save it again") from None
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in "biuf":
        raise DataError(
            f"an array of numbers in {path}", f"{getattr(rows, 'dtype', 'several')}", "convert it"
        )
    return rows


def _from_text(path: Path, features: Sequence[str]) -> np.ndarray:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except OSError as error:
        raise DataError(
            f"a readable file at {path}", (error.strerror or str(error)).lower(), "check it"
        ) from None
    except (UnicodeDecodeError, EOFError, zlib.error):
        raise DataError(f"rows of numbers as text in {path}", "something else", "save it as CSV") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError(f"rows of numbers in {path}", "an empty file", "add a row")
    separator = next((s for s in ",;\t" if s in lines[0]), None)
    if separator is None:
        cells = [line.split() for line in lines]
    else:
        cells = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=True))
    first = 1
    if 2 * sum(_number(cell) is None for cell in cells[0]) >= len(cells[0]):  # names, not one bad number
        names = [cell.strip().lower() for cell in cells.pop(0)]
        first = 2
        wanted = [feature.lower() for feature in features]
        if set(wanted) <= set(names):
            order = [names.index(feature) for feature in wanted]
            cells = [[row[k] if k < len(row) else "" for k in order] for row in cells]
    rows = np.empty((len(cells), len(cells[0]) if cells else len(features)))
    for i, row in enumerate(cells):
        if len(row) != rows.shape[1]:
            raise DataError(
                f"{rows.shape[1]} numbers in each row of {path}",
                f"{len(row)} in row {i + first}",
                "give each row as many",
            )
        for j, cell in enumerate(row):
            value = _number(cell)
            if value is None:
                raise DataError(
                    f"numbers in {path}",
                    f"{cell!r} in row {i + first}, column {j + 1}",
                    "write a number there",
                )
            rows[i, j] = value
    return rows


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
