"""A table's file as a polars table: CSV (.csv, .tsv, .csv.gz, ...) with all cells as strings, or Parquet."""

import csv
import gzip
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

from descend.errors import DataError

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = ",;\t|"


def read_table(path: str | Path) -> "tuple[pl.DataFrame, str]":
    """Read a table's file.

    A CSV's separator is found from its header line (comma, semicolon, tab or bar). Its cells are returned
    as strings, so that what a column holds is decided once all of it is known, in
    :mod:`descend.functions.cells`.

    Args:
        path: a CSV, TSV or Parquet file; gzipped or not.

    Returns:
        The table, of at least one row and one column, and the SHA-256 digest of the file.

    Raises:
        DataError: where the file is missing, empty, or not a table.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            "a CSV or Parquet file", f"{str(path)!r}, which does not exist", "check the path"
        ) from None
    except IsADirectoryError:
        raise DataError("a CSV or Parquet file", f"the folder {str(path)!r}", "name a file in it") from None
    except OSError as error:
        raise DataError(
            "a file that can be read", f"{str(path)!r} ({error.strerror})", "check its permissions"
        ) from None
    digest = hashlib.sha256(raw).hexdigest()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise DataError(
                "a gzipped CSV", f"{path.name}, which is damaged ({error})", "copy it again"
            ) from None
    if not raw.strip():
        raise DataError("a table", f"{path.name}, which is empty", "check how it was written")
    suffixes = [s.lower() for s in path.suffixes]
    if raw[:4] == b"PAR1" or any(s in suffixes for s in (".parquet", ".pq")):
        table = _parquet(raw, path.name)
    else:
        table = _csv(raw, path.name)
    if table.height == 0:
        raise DataError(
            "at least one row of data",
            f"{path.name} with a header and nothing below it",
            "check how it was written",
        )
    return table, digest


def _parquet(raw: bytes, name: str) -> "pl.DataFrame":
    import polars as pl

    try:
        table = pl.read_parquet(io.BytesIO(raw))
    except Exception as error:  # polars raises many kinds for a damaged file; none is a person's to sort out
        why = str(error).strip().splitlines()[0][:120]
        raise DataError("a Parquet file", f"{name}, which cannot be read ({why})", "write it again") from None
    texts = [c for c, dtype in table.schema.items() if dtype in (pl.Categorical, pl.Enum)]
    return table.with_columns(pl.col(texts).cast(pl.String)) if texts else table


def _csv(raw: bytes, name: str) -> "pl.DataFrame":
    import polars as pl

    raw = _utf8(raw, name)
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    # Blank lines at the ends are no rows; one between rows stays one, so that answers keep step.
    raw = raw.strip(b"\r\n") + b"\n"
    separator, header = _header(raw, name)
    try:
        table = pl.read_csv(
            io.BytesIO(raw),
            separator=separator,
            infer_schema=False,
        )
        table.columns = header
    except pl.exceptions.PolarsError as error:
        raise _not_a_table(raw, separator, len(header), name, error) from None
    if separator == ";":
        table = table.with_columns([_decimal_point(table[c]) for c in table.columns])
    return table


def _utf8(raw: bytes, name: str) -> bytes:
    """Check that a file is text, and return it in UTF-8 without a byte-order mark."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what Excel saves as "Unicode text"
        try:
            return raw.decode("utf-16").encode()
        except UnicodeDecodeError:
            raise DataError("a CSV file of text", f"{name}, which is not text", "check the file") from None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            "a CSV file in UTF-8, or a Parquet file",
            f"{name} with the byte 0x{raw[error.start]:02x} in line {line}",
            "save it as UTF-8",
        ) from None
    if b"\0" in raw:
        raise DataError(
            "a CSV or Parquet file", f"{name}, which holds zero bytes", "check that it is a table"
        )
    return raw


def _header(raw: bytes, name: str) -> tuple[str, list[str]]:
    """Return the separator and the columns' names."""
    start = raw[: raw.index(b"\n")].decode()
    bare = "".join(start.split('"')[::2])  # outside quotes
    separator = max(SEPARATORS, key=bare.count)
    text = io.TextIOWrapper(io.BytesIO(raw), "utf-8", newline="")
    try:
        header = [cell.strip() for cell in next(csv.reader(text, delimiter=separator))]
    except csv.Error as error:
        raise DataError(
            "a CSV file", f"{name}, whose header cannot be read ({error})", "check the file"
        ) from None
    seen: set[str] = set()
    for column in header:
        if column and column in seen:
            raise DataError(
                "columns with different names",
                f"two called {column!r} in {name}",
                "rename or remove one of them",
            )
        seen.add(column)
    # pandas and R leave the name of their row labels blank.
    return separator, [column or f"column {i}" for i, column in enumerate(header, start=1)]


def _not_a_table(raw: bytes, separator: str, width: int, name: str, error: Exception) -> DataError:
    """Find the first row that is too long, which is what most often makes a CSV unreadable."""
    text = io.TextIOWrapper(io.BytesIO(raw), "utf-8", newline="")
    try:
        for i, cells in enumerate(csv.reader(text, delimiter=separator)):
            if len(cells) > width:
                return DataError(
                    f"{width} cells in every row of {name}",
                    f"{len(cells)} in row {i}",
                    "quote cells that contain the separator",
                )
    except csv.Error:
        pass
    why = str(error).strip().splitlines()[0][:120]
    return DataError("a CSV file", f"{name}, which cannot be read as one ({why})", "check its quotes")


def _decimal_point(cells: "pl.Series") -> "pl.Series":
    """Turn decimal commas into points where a column of a semicolon-separated file has them."""
    text = cells.str.strip_chars()
    comma = text.str.contains(r"^[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+$").fill_null(False)
    if not comma.any():
        return cells
    plain = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return cells.zip_with(~comma, plain)
