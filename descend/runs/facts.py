"""``run.json``: strict JSON, which any program can read, written whole or not at all.

JSON has no NaN and no infinities, and a descent that went wrong has both. They are written as the strings
``"nan"``, ``"inf"`` and ``"-inf"``, and become floats again when descend reads them: under the keys that
hold figures (:data:`FIGURES`), so that a category that is called "nan" stays what it is.
"""

import json
import math
import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from descend.descent.files import write_file
from descend.errors import RunError

FIGURES = (
    "epochs",
    "seconds",
    "loss",
    "validation_loss",
    "metrics",
    "hyperparameters",
    "settings",
    "parameters",
    "estimates",
)
"""The keys of ``run.json`` under which ``"nan"``, ``"inf"`` and ``"-inf"`` are numbers."""

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def plain(value: Any) -> Any:
    """Return a value as JSON's own types; floats that are not finite stay floats.

    Tensors and numpy values become numbers and lists, paths strings, members of an enum their values.

    Raises:
        TypeError: where there is no such form.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for kind in (int, float, str):  # subclasses, among them numpy's float64
        if isinstance(value, kind):
            return kind(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``run.json``.

    Raises:
        RunError: where it cannot be written; what was there stays.
    """
    strict = _without_non_finite(plain(facts))
    try:
        content = json.dumps(strict, indent=1, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:  # a file's name that is not Unicode
        content = json.dumps(strict, indent=1, allow_nan=False).encode()
    write_file(path, content + b"\n")


def read_facts(path: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises:
        RunError: where it is missing or not a whole JSON object.
    """
    try:
        facts = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"the file {path}", f"“{error.strerror}”", "check the folder") from None
    except (ValueError, RecursionError):  # not JSON, or not text
        facts = None
    if not isinstance(facts, dict):
        raise RunError(
            f"a JSON object in {path}",
            "a damaged file",
            "put the file back from a copy, or train again in another folder",
        )
    return {key: _with_non_finite(value) if key in FIGURES else value for key, value in facts.items()}


def _without_non_finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {k: _without_non_finite(v) for k, v in value.items()}
    return [_without_non_finite(v) for v in value] if isinstance(value, list) else value


def _with_non_finite(value: Any) -> Any:
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    if isinstance(value, dict):
        return {k: v if k == "name" else _with_non_finite(v) for k, v in value.items()}
    return [_with_non_finite(v) for v in value] if isinstance(value, list) else value
