"""One writer a run: the lock on its folder."""

import os
import time
from contextlib import suppress
from pathlib import Path
from weakref import WeakSet

from descend.errors import RunError

LOCK = ".lock"
HEIRS = 5.0
"""Seconds that the children of a holder that is gone get to let go of its lock (see :class:`FolderLock`)."""


class FolderLock:
    """Held from construction to :meth:`release`, or to the end of the process, however it ends.

    It is ``flock`` on the file ``.lock``: the system gives it back with the process, so that a killed run
    can be resumed at once. Where there is no ``flock`` (Windows, some network filesystems) nothing is held.

    A child inherits what its parent has open, the lock with it, and lets go of it as its first act. If the
    parent is killed before the child has had its turn (11 ms later was seen on busy cores), the child holds
    the lock for that long. So where the holder that the file names is no longer there, the lock is waited
    for, at most :data:`HEIRS` seconds.

    Args:
        folder: an existing folder.

    Raises:
        RunError: where another process holds it (said at once if that one is there), or the folder cannot
            be written.
    """

    def __init__(self, folder: Path):
        self._path, self._process, self._descriptor = folder / LOCK, os.getpid(), -1
        self._holds = True  # in name, where there is no flock
        try:
            import fcntl
        except ImportError:
            return
        end = time.monotonic() + HEIRS
        try:
            while True:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    holder = self._holder()
                    self._close()
                    there = _is_there(holder)
                    if there or time.monotonic() > end:
                        raise _refusal(folder, holder, there) from None
                    time.sleep(0.002)
                    continue
                if self._still_there():
                    break
                # The last holder deleted the file between our opening and locking it.
                self._close()
        except OSError as error:
            if self._descriptor >= 0:  # this filesystem has no locks
                self._close()
                return
            raise RunError(
                f"a folder that can be written at {folder}",
                f"“{error.strerror}”",
                "change its permissions or choose another folder",
            ) from None
        with suppress(OSError):  # a full disk: the number is only for the sentence above
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{self._process}\n".encode(), 0)
        _held.add(self)

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._holds and self._process == os.getpid()

    def release(self) -> None:
        """Let others in. A second call does nothing."""
        self._holds = False
        if self._descriptor < 0:
            return
        if self._process == os.getpid():
            with suppress(OSError):
                if self._still_there():
                    self._path.unlink()
        self._close()

    def _still_there(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except FileNotFoundError:
            return False

    def _holder(self) -> int:
        """Return the process that the file names, or 0 where it names none or cannot be read (over SMB)."""
        text = b""
        with suppress(OSError):
            text = os.pread(self._descriptor, 20, 0).strip()
        return int(text) if text.isdigit() else 0

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def being_written(folder: Path) -> bool:
    """Whether a process of this machine is writing the run in a folder."""
    try:
        text = (folder / LOCK).read_bytes()[:20].strip()
    except OSError:
        return False
    return text.isdigit() and _is_there(int(text))


def _is_there(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    if process <= 0:
        return False
    try:
        os.kill(process, 0)
    except PermissionError:  # someone else's
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _refusal(folder: Path, holder: int, there: bool) -> RunError:
    wanted = f"a run at {folder} that nobody else is writing"
    if there:
        return RunError(
            wanted, f"one that process {holder} is writing", "wait for it, end it, or choose another folder"
        )
    name = f"process {holder}, which is gone or on another machine" if holder else "another process"
    return RunError(
        wanted,
        f"one still locked by {name}, or by a child that it left running",
        "end what is left of it, or choose another folder",
    )


_held: WeakSet[FolderLock] = WeakSet()


def _forget_in_child() -> None:
    # A forked child, such as a DataLoader's worker, shares the lock and would hold it on after its parent
    # is killed. Closing its copy takes nothing from the parent.
    for lock in list(_held):
        lock._close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
