"""What a descent leaves behind as it goes: metrics and events, written in the background.

A step can take a quarter of a millisecond on a machine of two cores, so the loop pays for nothing but a
list's ``extend``. Everything else happens on one daemon thread, and there mostly inside SQLite, which
runs without Python's lock: rows go in 256 at a time, one SQL statement each, since a statement a row
would take and give back that lock a thousand times a second, under the loop's feet. (JSON read by
``json_each`` is also one statement, but measured twice as slow, and it leaves the rounding of the last
digit to SQLite; bound values are exact.)

What survives: a transaction that is committed is in the operating system's hands, so nothing of it is
lost when the process is killed, even with SIGKILL. ``synchronous=NORMAL`` leaves out the wait for the
disk itself, which only a power cut can tell apart: then the last moments of the record are gone, and the
file is still sound. A checkpoint must never be ahead of the record, not even then (the resumed record
would have a gap): the commit before a job of :meth:`Record.then` waits for the disk.
"""

import atexit
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, NamedTuple

from descend.descent.record_file import (
    VERSION,
    cannot_write,
    open_to_write,
    read_events,
    read_series,
    series_names,
)
from descend.errors import DescendError, RunError, UsageError

__all__ = ["Record", "read_events", "read_series", "series_names"]

# Rows a statement: 3 × 256 values stay under the 999 that the oldest SQLite binds. The smaller size is
# for the few rows of a flush. Two sizes only, so that both statements stay prepared.
_BLOCKS = (16, 256)
_INSERT = {n: "INSERT OR REPLACE INTO metrics VALUES " + ",".join(["(?,?,?)"] * n) for n in _BLOCKS}


class _Handed(NamedTuple):
    """What one call hands to the thread."""

    rows: list[Any]
    """name, step, value, name, step, value, ...: flat, as the SQL statement takes them."""
    events: list[tuple[int, float, str, str]]
    job: Callable[[], None] | None = None
    done: Event | None = None
    """Set when everything up to here was tried."""
    last: bool = False


class Record:
    """The metrics and events of one run, in ``record.db``.

    One thread adds; nothing is on disk before :meth:`flush` (a few times a second is plenty). A failure
    in the background, such as a full disk, is raised once by the next ``flush``, ``then``, ``wait`` or
    ``close``; the rows are kept and tried again with the next of these calls, so that none is lost where
    room is made.

    Args:
        path: the file; it is made where there is none.
        keep_to: the step that a resumed descent goes on from: what an existing file holds beyond it is
            deleted, so that the record has neither gap nor duplicate. ``None`` keeps everything.

    Raises:
        RunError: where the file cannot be written, or is not a whole record.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "record.db"
        >>> record = Record(path)
        >>> record.add("loss", 1, 2.3)
        >>> record.close()
        >>> read_series(path, "loss")
        ([1], [2.3])
    """

    def __init__(self, path: Path, *, keep_to: int | None = None):
        self.path = Path(path)
        self._rows: list[Any] = []
        self._events: list[tuple[int, float, str, str]] = []
        self._queue: SimpleQueue[_Handed] = SimpleQueue()
        self._failure: Exception | None = None
        self._closing = self._closed = False
        # A forked child (a DataLoader's worker) inherits this object but not the thread: it must not wait.
        self._process = os.getpid()
        self._connection = open_to_write(self.path, keep_to)
        # From here on only this thread touches the connection.
        self._thread = Thread(target=self._work, name="descend-record", daemon=True)
        self._thread.start()
        atexit.register(self._close_at_exit)

    def add(self, name: str, step: int, value: float) -> None:
        """Note one value. A list's ``extend``, nothing more.

        Args:
            name: the series; its name carries its unit.
            step: the number of the update. A second value for the same name and step replaces the first.
            value: any float; NaN and infinities too.
        """
        self._rows.extend((name, step, value))

    def extend(self, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        """Note many values of one series.

        Raises:
            UsageError: where there are not as many steps as values.
        """
        if len(steps) != len(values):
            raise UsageError("one value a step", f"{len(steps)} steps and {len(values)} values", "pair them")
        self._rows.extend(chain.from_iterable(zip(repeat(name), steps, values, strict=False)))

    def event(self, step: int, seconds: float, kind: str, text: str) -> None:
        """Note that something happened at ``step``, ``seconds`` after the start."""
        self._events.append((step, seconds, kind, text))

    def flush(self) -> None:
        """Hand what was added to the background thread, and return at once.

        Raises:
            RunError: where the thread failed since the last call.
        """
        self._check()
        if self._rows or self._events:
            self._hand()

    def then(self, job: Callable[[], None]) -> None:
        """Flush, and run ``job`` on the background thread once those rows are committed.

        Jobs run in order. A checkpoint saved so can fall behind the record, but never be ahead of it.

        Raises:
            RunError: where the thread failed since the last call.
        """
        self._check()
        self._hand(job=job)

    def wait(self) -> None:
        """Return when everything handed over is on disk and every job has run; it flushes first.

        Raises:
            RunError: where something could not be written.
        """
        self._check()
        if self._closed or os.getpid() != self._process:
            return
        done = Event()
        self._hand(done=done)
        while not done.wait(1.0):
            if not self._thread.is_alive():  # the interpreter is going down
                break
        self._check()

    def close(self) -> None:
        """Wait, and close the file. A second call does nothing.

        Raises:
            RunError: where something could not be written.
        """
        if self._closed or os.getpid() != self._process:
            return
        if not self._closing:
            self._hand(last=True)
            self._closing = True
        self._thread.join()
        self._closed = True
        atexit.unregister(self._close_at_exit)
        self._check()

    def __enter__(self) -> "Record":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_at_exit(self) -> None:
        # A program that ends without `close` loses nothing either; daemon threads still run here.
        try:
            self.close()
        except RunError as error:
            print(error, file=sys.stderr)

    def _check(self) -> None:
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if isinstance(failure, DescendError):  # a job's own sentence
            raise failure
        raise cannot_write(self.path, failure) from failure

    def _hand(self, **more: Any) -> None:
        if self._closing:
            raise RunError("an open record", "a closed one", "open the run again to go on with it")
        # Handed over before the lists are renewed: a Ctrl-C in between writes rows twice (which is
        # once), where the other order would lose them.
        self._queue.put(_Handed(self._rows, self._events, **more))
        self._rows, self._events = [], []

    def _work(self) -> None:
        """Write what is handed over, until the last of it. Runs on the background thread."""
        backlog: deque[_Handed] = deque()  # not committed yet; survives a failure
        last = False
        while not last:
            came = [self._queue.get()]
            while not self._queue.empty():
                came.append(self._queue.get())
            last = came[-1].last
            backlog.extend(came)
            try:
                self._write(backlog)
            except Exception as failure:
                self._failure = self._failure or failure
            for handed in came:
                if handed.done is not None:
                    handed.done.set()
        self._connection.close()

    def _write(self, backlog: deque[_Handed]) -> None:
        """Commit the backlog, and run each job after the rows before it."""
        while backlog:
            batch: list[_Handed] = []
            for handed in backlog:
                batch.append(handed)
                if handed.job is not None:
                    break
            job = batch[-1].job
            self._commit(
                [x for handed in batch for x in handed.rows],
                [e for handed in batch for e in handed.events],
                to_disk=job is not None,
            )
            for _ in batch:
                backlog.popleft()
            if job is not None:
                try:
                    job()
                except Exception as failure:  # rows do not wait for a job that failed
                    self._failure = self._failure or failure

    def _commit(self, rows: list[Any], events: list[Any], to_disk: bool) -> None:
        if not (rows or events or to_disk):
            return
        # Also takes a tensor or a numpy number, which SQLite does not. NaN becomes NULL in SQLite.
        rows[2::3] = map(float, rows[2::3])
        connection = self._connection
        try:
            if to_disk:
                # In WAL mode FULL is one fsync of the log after the commit, which covers every earlier
                # commit too. Writing the version is there so that there is something to commit.
                connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            if to_disk:
                connection.execute(f"PRAGMA user_version={VERSION}")
            small, large = _BLOCKS
            for start in range(0, len(rows), 3 * large):
                block = rows[start : start + 3 * large]
                size = small if len(block) <= 3 * small else large
                # Filled up with its own last row, which replaces itself.
                block += block[-3:] * (size - len(block) // 3)
                connection.execute(_INSERT[size], block)
            if events:
                connection.executemany("INSERT INTO events VALUES (?,?,?,?)", events)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        finally:
            if to_disk:
                connection.execute("PRAGMA synchronous=NORMAL")
