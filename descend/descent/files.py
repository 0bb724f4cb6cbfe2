"""Files that are written whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from descend.errors import RunError


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, even if the process is killed or the power fails.

    Raises:
        RunError: where it cannot be written; what was there stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"room on the disk for {path}", "a full disk", "make room and try again") from None
        raise RunError(
            f"a folder that can be written for {path}",
            f"“{error.strerror}”",
            "change its permissions or choose another folder",
        ) from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_unfinished(path: Path) -> None:
    """Remove what :func:`write_file` left beside ``path`` when its process was killed."""
    for temporary in path.parent.glob(f".{path.name}.*.part"):
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # A rename is on disk when its folder is. Windows has no such thing.
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
