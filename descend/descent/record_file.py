"""The file ``record.db``: its tables, how it is opened, read, and what is said when it cannot be.

It is plain SQLite, in WAL mode, so that it can be read by any program while the descent goes on.
"""

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descend.errors import RunError

if TYPE_CHECKING:
    import sqlite3

VERSION = 1
"""``PRAGMA user_version`` of the files written here."""

_SCHEMA = """
CREATE TABLE metrics(name TEXT, step INTEGER, value REAL, PRIMARY KEY(name, step)) WITHOUT ROWID;
CREATE TABLE events(step INTEGER, seconds REAL, kind TEXT, text TEXT);
"""
# In files written before there were findings it is made when the first ones come. "effect" and "explains"
# are JSON; "taken" is how many updates the run had taken when they were written.
_FINDINGS = """
CREATE TABLE IF NOT EXISTS findings(place INTEGER PRIMARY KEY, cause TEXT, severity TEXT, confidence REAL,
  evidence TEXT, remedy TEXT, effect TEXT, "where" TEXT, step INTEGER, explains TEXT, taken INTEGER)
"""
_NAN = float("nan")


def read_series(path: Path, name: str) -> tuple[list[int], list[float]]:
    """Return the steps and values of one series, by step; both empty where there is no such series.

    Args:
        path: the ``record.db``; it may be being written.
        name: the series.

    Raises:
        RunError: where the file is missing or damaged.
    """
    rows = read_rows(path, "SELECT step, value FROM metrics WHERE name = ? ORDER BY step", (name,))
    # SQLite stores NaN as NULL.
    return [step for step, _ in rows], [_NAN if value is None else value for _, value in rows]


def series_names(path: Path) -> list[str]:
    """Return the names of all series, sorted.

    Raises:
        RunError: where the file is missing or damaged.
    """
    # Not DISTINCT, which reads every row: from one name the primary key leads straight to the next.
    query = """
        WITH RECURSIVE names(name) AS (
            SELECT min(name) FROM metrics
            UNION ALL
            SELECT (SELECT min(name) FROM metrics WHERE name > names.name) FROM names WHERE name IS NOT NULL
        ) SELECT name FROM names WHERE name IS NOT NULL"""
    return [name for (name,) in read_rows(path, query)]


def read_events(path: Path) -> list[tuple[int, float, str, str]]:
    """Return (step, seconds, kind, text) of all events, in the order in which they came.

    Raises:
        RunError: where the file is missing or damaged.
    """
    rows = read_rows(path, "SELECT step, seconds, kind, text FROM events ORDER BY rowid")
    return [
        (step, float("nan") if seconds is None else seconds, kind, text) for step, seconds, kind, text in rows
    ]


def read_findings(path: Path) -> list[dict[str, Any]]:
    """Return what was found wrong with a run, the most probable root cause first.

    Returns:
        For each what :class:`descend.diagnosing.finding.Finding` has, and ``tried``: the experiments with
        its remedies. Empty where nothing was found, nobody watched, or the file is older than findings.

    Raises:
        RunError: where the file is missing or damaged.
    """
    import json

    if not read_rows(path, "SELECT 1 FROM sqlite_master WHERE name = 'findings'"):
        return []
    columns = ["cause", "severity", "confidence", "evidence", "remedy", "effect", "where", "step", "explains"]
    query = "SELECT {} FROM findings ORDER BY place".format(", ".join(f'"{name}"' for name in columns))
    found: list[dict[str, Any]] = [dict(zip(columns, row, strict=True)) for row in read_rows(path, query)]
    try:
        for one in found:
            effect = json.loads(one["effect"]) or {}
            one |= {"effect": effect.get("said"), "tried": effect.get("tried") or []}
            one["explains"] = tuple(json.loads(one["explains"]))
    except (TypeError, ValueError, AttributeError) as error:
        raise _damaged(path) from error
    return found


def write_findings(path: Path, found: Sequence[Mapping[str, Any]], taken: int) -> None:
    """Write what was found wrong with a run, in the place of what was found before.

    Args:
        path: the ``record.db``; no transaction of another connection may be open for long.
        found: as :func:`read_findings` returns it.
        taken: how many updates the run has taken.

    Raises:
        RunError: where it cannot be written; what was there stays.
    """
    import json
    import sqlite3

    rows = [
        (
            place,
            *(one[name] for name in ("cause", "severity", "confidence", "evidence", "remedy")),
            json.dumps({"said": one["effect"], "tried": list(one.get("tried") or [])}),
            one["where"],
            one["step"],
            json.dumps(list(one["explains"])),
            taken,
        )
        for place, one in enumerate(found, 1)
    ]
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_FINDINGS)
            connection.execute("DELETE FROM findings")
            connection.executemany(f"INSERT INTO findings VALUES ({','.join('?' * 11)})", rows)
            connection.execute("COMMIT")
        finally:
            connection.close()  # which takes back what was not committed
    except sqlite3.Error as error:
        raise cannot_write(path, error) from error


def open_to_write(path: Path, keep_to: int | None) -> "sqlite3.Connection":
    """Open or make a record, without anything beyond step ``keep_to``.

    Raises:
        RunError: where it cannot be written, is damaged, or is something else.
    """
    import sqlite3

    try:
        # Opened here, so that what is wrong with the file is said at once; used by one thread at a time.
        connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    except sqlite3.Error as error:
        raise cannot_write(path, error) from error
    try:
        if connection.execute("PRAGMA page_count").fetchone()[0]:
            _check_whole(connection, path)
        # Filesystems that cannot map shared memory stay with the rollback journal: slower, as safe.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        else:
            connection.execute("BEGIN IMMEDIATE")
            # A write in any case: where nothing can be written, that is said now and not after an hour.
            connection.execute(f"PRAGMA user_version={VERSION}")
            if keep_to is not None:
                connection.execute("DELETE FROM metrics WHERE step > ?", (keep_to,))
                connection.execute("DELETE FROM events WHERE step > ?", (keep_to,))
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'findings'").fetchone():
                    connection.execute("DELETE FROM findings WHERE taken > ?", (keep_to,))
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        raise cannot_write(path, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _check_whole(connection: "sqlite3.Connection", path: Path) -> None:
    """Refuse a file that is damaged, is something else, or comes from a later version."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise RunError(
            f"{path} in format {VERSION}",
            f"format {version}, made by a newer descend",
            "upgrade: pip install -U descend",
        )
    if tables and not tables >= {"metrics", "events"}:
        raise RunError(
            f"a record of metrics in {path}", "a database of something else", "choose another folder"
        )
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise _damaged(path)


def read_rows(path: Path, query: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
    """Return what a query finds in a record, which may be being written.

    Args:
        path: the ``record.db``.
        query: SQL that only reads.
        parameters: for its question marks.

    Raises:
        RunError: where the file is missing or damaged.
    """
    return read_rows_of_each(path, query, [parameters])


def read_rows_of_each(path: Path, query: str, parameters: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what a query finds for each of some parameters, one after the other, in one look at a record.

    Args:
        path: the ``record.db``.
        query: SQL that only reads.
        parameters: for its question marks, each time.

    Raises:
        RunError: where the file is missing or damaged.
    """
    import sqlite3

    path = Path(path)
    if not path.is_file():
        raise RunError(f"the record {path}", "no such file", "check the run's folder")
    try:
        return _query(path, query, parameters)
    except sqlite3.OperationalError as error:
        if "unable to open" not in str(error) and "readonly" not in str(error):
            raise _damaged(path) from error
    except sqlite3.Error as error:
        raise _damaged(path) from error
    # In a folder that cannot be written SQLite cannot make the shared memory that WAL needs: read a copy.
    import shutil
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="descend-") as folder:
            for part in (path, path.with_name(path.name + "-wal")):
                if part.is_file():
                    shutil.copyfile(part, Path(folder, part.name))
            return _query(Path(folder, path.name), query, parameters)
    except (sqlite3.Error, OSError) as error:
        raise _damaged(path) from error


def _query(path: Path, query: str, parameters: Sequence[tuple[Any, ...]]) -> list[Any]:
    import sqlite3

    # Not "ro": a connection that may write clears SQLite's files beside the record away when it is the
    # last to close, also after a killed writer; one that may not leaves them behind.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
    try:
        connection.execute("PRAGMA query_only=1")
        connection.execute("BEGIN")
        return [row for given in parameters for row in connection.execute(query, given)]
    finally:
        connection.close()


def _damaged(path: Path) -> RunError:
    return RunError(
        f"a whole record of metrics in {path}",
        "a damaged file",
        "put the file back from a copy, or move it away; the parameters beside it are not affected",
    )


def cannot_write(path: Path, error: Exception) -> RunError:
    """Return, as a sentence, what SQLite or the operating system says about writing to ``path``."""
    if isinstance(error, OSError):
        text, code, path = error.strerror or str(error), error.errno, error.filename or path
    else:
        text, code = str(error), None
    if "is full" in text or code in (errno.ENOSPC, errno.EDQUOT):
        return RunError(
            f"room on the disk for {path}",
            "a full disk",
            "make room, then go on with --resume: nothing that was saved is lost",
        )
    if "readonly" in text or "unable to open" in text or code in (errno.EROFS, errno.EACCES, errno.EPERM):
        return RunError(
            f"a folder that can be written for {path}",
            f"“{text}”",
            "change its permissions or choose another folder",
        )
    if "malformed" in text or "not a database" in text:
        return _damaged(path)
    if "locked" in text:
        return RunError(f"{path} to oneself", "another program writing it", "end that program first")
    return RunError(f"{path} to be written", f"“{text}”", "check the disk, then go on with --resume")
