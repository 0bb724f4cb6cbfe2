"""Compiled code kept on disk, for every executor that compiles.

Files are named by a digest of what they were made from, hold a digest of themselves, and appear by one
rename, so that any number of processes may share the folder.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def folder() -> Path:
    """Return where machine code is kept: ``DESCEND_CACHE``, or the user's cache folder."""
    if named := os.environ.get("DESCEND_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "descend" / "machine-code"


def kept_code(key: str, make: Callable[[], bytes]) -> bytes:
    """Return the code of this key from disk, or make it and leave it there.

    Args:
        key: a digest, in hexadecimal digits.
        make: compiles.
    """
    path = folder() / key[:2] / key
    with suppress(OSError):
        kept = path.read_bytes()
        if hashlib.sha256(kept[32:]).digest() == kept[:32]:  # a disk can be full, or a file cut short
            return kept[32:]
    code = make()
    with suppress(OSError):  # without a place to keep it, it is compiled each time
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    return code
